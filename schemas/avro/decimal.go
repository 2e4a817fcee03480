package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strings"
)

const (
	// decimalScale and decimalDigits are those of decimal(38,9), the type of
	// the values of a ContributionRow.
	decimalScale  = 9
	decimalDigits = 38
	// decimalBytesMax bounds the two's complement of 38 digits, sign included:
	// 127 bits hold 38 digits, 16 bytes hold 127 bits and the sign.
	decimalBytesMax = 16
	int64Bytes      = 8
)

// SetValue sets Value to minor x 10^-exponent, exactly. The exponent is that of
// the minor unit, 0 to 9.
func (r *ContributionRow) SetValue(minor int64, exponent int) (err error) {
	r.Value, err = AppendDecimal(make([]byte, 0, decimalBytesMax), minor, exponent)
	return err
}

// SetConfident sets ConfidentValue as SetValue does Value.
func (r *ContributionRow) SetConfident(minor int64, exponent int) (err error) {
	r.ConfidentValue, err = AppendDecimal(make([]byte, 0, decimalBytesMax), minor, exponent)
	return err
}

// AppendDecimal appends minor x 10^-exponent as decimal(38,9), of which SetValue says
// more: for who has memory for it, at most 16 bytes.
func AppendDecimal(dst []byte, minor int64, exponent int) ([]byte, error) {
	if exponent < 0 || exponent > decimalScale {
		_, err := tenTo(exponent)
		return nil, err
	}
	scale := uint64(1)
	for range decimalScale - exponent {
		scale *= 10
	}
	// 63 bits times 10^9 fit into 128. In two's complement x is -x inverted, plus one.
	magnitude := uint64(minor)
	if minor < 0 {
		magnitude = -magnitude
	}
	hi, lo := bits.Mul64(magnitude, scale)
	if minor < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var whole [decimalBytesMax]byte
	binary.BigEndian.PutUint64(whole[:8], hi)
	binary.BigEndian.PutUint64(whole[8:], lo)
	b := whole[:]
	// A first byte that only repeats the sign of the second is not written.
	for len(b) > 1 && (b[0] == 0 && b[1] <= math.MaxInt8 || b[0] == math.MaxUint8 && b[1] > math.MaxInt8) {
		b = b[1:]
	}
	return append(dst, b...), nil
}

// ValueMinor gives Value as an integer of minor units of the exponent, 0 to 9.
// A value that is not a whole number of them, or overflows, is [ErrDecimal].
func (r *ContributionRow) ValueMinor(exponent int) (int64, error) {
	scale, err := tenTo(exponent)
	if err != nil {
		return 0, err
	}
	unscaled, err := parseUnscaled(r.Value)
	if err != nil {
		return 0, err
	}
	minor, rest := new(big.Int).QuoRem(unscaled, scale, new(big.Int))
	if rest.Sign() != 0 {
		return 0, fmt.Errorf("%w: value has parts below 10^-%d", ErrDecimal, exponent)
	}
	if !minor.IsInt64() {
		return 0, fmt.Errorf("%w: %d bits of minor units", ErrDecimal, minor.BitLen())
	}
	return minor.Int64(), nil
}

// Units gives Value in units of 10^-9, exactly. The caller owns them.
func (r *ContributionRow) Units() (*big.Int, error) { return parseUnscaled(r.Value) }

// ConfidentUnits is Units of ConfidentValue.
func (r *ContributionRow) ConfidentUnits() (*big.Int, error) { return parseUnscaled(r.ConfidentValue) }

// ValueText gives Value as exact decimal text with at least exponent decimal
// places, 0 to 9: further places are shown only while they are not zero, so
// 12.5 under exponent 2 is "12.50".
func (r *ContributionRow) ValueText(exponent int) (string, error) {
	if _, err := tenTo(exponent); err != nil {
		return "", err
	}
	unscaled, err := parseUnscaled(r.Value)
	if err != nil {
		return "", err
	}
	return decimalText(unscaled, decimalScale, exponent), nil
}

// decimalText writes unscaled x 10^-scale with trailing zeros cut down to
// placesMin decimal places.
func decimalText(unscaled *big.Int, scale, placesMin int) string {
	digits := new(big.Int).Abs(unscaled).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	whole, places := digits[:len(digits)-scale], digits[len(digits)-scale:]
	for len(places) > placesMin && places[len(places)-1] == '0' {
		places = places[:len(places)-1]
	}
	text := whole
	if places != "" {
		text += "." + places
	}
	if unscaled.Sign() < 0 {
		text = "-" + text
	}
	return text
}

func tenTo(exponent int) (*big.Int, error) {
	if exponent < 0 || exponent > decimalScale {
		return nil, fmt.Errorf("%w: exponent %d is not within 0 and %d", ErrDecimal, exponent, decimalScale)
	}
	return pow10(decimalScale - exponent), nil
}

func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func parseUnscaled(b []byte) (*big.Int, error) {
	if len(b) == 0 || len(b) > decimalBytesMax {
		return nil, fmt.Errorf("%w: %d bytes", ErrDecimal, len(b))
	}
	v := fromTwosComplement(b)
	// 38 digits take 126 bits at least: most values need no look at the power.
	if v.BitLen() > 125 && v.CmpAbs(pow10(decimalDigits)) >= 0 {
		return nil, fmt.Errorf("%w: more than %d digits", ErrDecimal, decimalDigits)
	}
	return v, nil
}

// fromTwosComplement reads big-endian two's complement; no bytes are zero.
func fromTwosComplement(b []byte) *big.Int {
	if len(b) > 0 && len(b) <= int64Bytes { // nearly all
		v := int64(int8(b[0]))
		for _, c := range b[1:] {
			v = v<<8 | int64(c)
		}
		return big.NewInt(v)
	}
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] > math.MaxInt8 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return v
}
