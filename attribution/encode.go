package attribution

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tracksource/money"
)

// postingsVersion is the first byte of encoded postings. A reader refuses
// others; whoever keeps them then computes them again.
const postingsVersion = 3

// ErrEncoding marks bytes that are not encoded postings of this version.
var ErrEncoding = errors.New("not encoded postings")

// texts lists the strings of a posting in the order of the encoding.
func (p *Posting) texts() [16]*string {
	return [...]*string{
		&p.Conversion, &p.Measure, &p.Currency, &p.Partner, &p.Channel, &p.Asset, &p.Region, &p.Segment, &p.Source, &p.TouchCampaign, &p.Escrow,
		&p.Basis.Amount, &p.Basis.Currency, &p.Basis.Rate, &p.Basis.Via, &p.Basis.Reported,
	}
}

// AppendPostings appends the compact form of the postings to dst: a version
// byte, a table of the distinct strings, and for each posting indexes into it
// and varints. Postings of one account repeat nearly all their strings, so one
// takes some thirty bytes. Equal slices give equal bytes.
func AppendPostings(dst []byte, postings []Posting) []byte {
	table := make(map[string]uint64)
	var order []string
	for i := range postings {
		for _, text := range postings[i].texts() {
			if _, known := table[*text]; !known {
				table[*text] = uint64(len(order))
				order = append(order, *text)
			}
		}
	}
	dst = append(dst, postingsVersion)
	dst = binary.AppendUvarint(dst, uint64(len(order)))
	for _, text := range order {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(postings)))
	for i := range postings {
		p := &postings[i]
		for _, text := range p.texts() {
			dst = binary.AppendUvarint(dst, table[*text])
		}
		dst = binary.AppendVarint(dst, int64(p.Day))
		dst = binary.AppendVarint(dst, int64(p.Basis.RateDay))
		dst = binary.AppendUvarint(dst, uint64(p.Exponent))
		dst = binary.AppendUvarint(dst, uint64(p.Confidence))
		dst = binary.AppendUvarint(dst, uint64(len(p.Minor)))
		for _, minor := range p.Minor {
			dst = binary.AppendVarint(dst, minor)
		}
	}
	return dst
}

// DecodePostings reads what AppendPostings wrote; all bytes must be used. The
// result shares no memory with data. Its errors wrap ErrEncoding.
func DecodePostings(data []byte) ([]Posting, error) {
	if len(data) == 0 || data[0] != postingsVersion {
		return nil, fmt.Errorf("%w: no version %d at the beginning", ErrEncoding, postingsVersion)
	}
	d := decoder{rest: data[1:]}
	table := make([]string, d.count(1))
	for i := range table {
		table[i] = string(d.bytes(d.count(1)))
	}
	// A posting takes a byte for each string and number at least.
	const leastBytes = 16 + 5
	postings := make([]Posting, d.count(leastBytes))
	for i := range postings {
		d.posting(&postings[i], table)
	}
	if len(d.rest) > 0 {
		d.fail("bytes remain")
	}
	if d.err != nil {
		return nil, d.err
	}
	return postings, nil
}

// decoder reads from the front of rest; after the first error it reads zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) posting(p *Posting, table []string) {
	for _, text := range p.texts() {
		if index := d.uvarint(); index < uint64(len(table)) {
			*text = table[index]
		} else {
			d.fail("string out of the table")
		}
	}
	p.Day, p.Basis.RateDay = d.day(), d.day()
	exponent := d.uvarint()
	if exponent > CountExponent {
		d.fail("exponent out of bounds")
		return
	}
	p.Exponent = int(exponent)
	confidence := d.uvarint()
	if confidence > ConfidenceWhole {
		d.fail("confidence out of bounds")
		return
	}
	p.Confidence = int(confidence)
	p.Minor = make([]int64, d.count(1))
	for m := range p.Minor {
		p.Minor[m] = d.varint()
	}
}

func (d *decoder) fail(reason string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrEncoding, reason)
	}
	d.rest = nil
}

// count reads how many things of at least so many bytes follow.
func (d *decoder) count(leastBytes int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/leastBytes) {
		d.fail("count exceeds the bytes")
		return 0
	}
	return int(n)
}

func (d *decoder) bytes(n int) []byte {
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) day() money.Day {
	day := d.varint()
	if day < int64(money.DayMin) || day > int64(money.DayMax) {
		d.fail("day out of bounds")
		return 0
	}
	return money.Day(day)
}

func (d *decoder) uvarint() uint64 {
	value, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("number is cut off")
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

func (d *decoder) varint() int64 {
	value, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("number is cut off")
		return 0
	}
	d.rest = d.rest[n:]
	return value
}
