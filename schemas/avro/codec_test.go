package avro_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	twmb "github.com/twmb/avro"
	"pgregory.net/rapid"

	"tracksource/schemas/avro"
)

func TestRoundTrip(t *testing.T) {
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				want := s.draw(rt)
				b, err := s.encode([]byte("kept"), want)
				if err != nil {
					rt.Fatal(err)
				}
				if string(b[:4]) != "kept" {
					rt.Fatalf("Append lost what dst held: %q", b[:4])
				}
				got, err := s.decode(b[4:])
				if err != nil {
					rt.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					rt.Fatalf("got  %+v\nwant %+v", got, want)
				}
				if got, err = s.decodeOver(b[4:]); err != nil || !reflect.DeepEqual(got, want) {
					rt.Fatalf("over the one before: %v\ngot  %+v\nwant %+v", err, got, want)
				}
				bare, err := s.encodeBare(nil, want)
				if err != nil {
					rt.Fatal(err)
				}
				if got, err = s.decodeBare(bare); err != nil || !reflect.DeepEqual(got, want) {
					rt.Fatalf("bare: %v\ngot  %+v\nwant %+v", err, got, want)
				}
			})
		})
	}
}

func TestZeroRecords(t *testing.T) {
	for _, s := range subjects(t) {
		zero := reflect.New(reflect.TypeOf(s.sample).Elem()).Interface()
		if row, ok := zero.(*avro.ContributionRow); ok {
			if err := row.SetValue(0, 0); err != nil {
				t.Fatal(err)
			}
		}
		b, err := s.encode(nil, zero)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		got, err := s.decode(b)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if o, ok := got.(*avro.Observation); ok {
			want := &avro.Observation{Node: []byte{}, OccurredAt: time.Time{}.UTC(), Links: []avro.Link{}, Same: [][]byte{}}
			if !o.OccurredAt.IsZero() || !reflect.DeepEqual(o, want) {
				t.Errorf("the zero observation came back as %+v", o)
			}
		}
	}
}

// TestDecodeEveryPrefix cuts each sample everywhere: all but the whole is an
// error of a type that a caller can branch on, and leaves nothing behind.
func TestDecodeEveryPrefix(t *testing.T) {
	for _, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			b, err := s.encode(nil, s.sample)
			if err != nil {
				t.Fatal(err)
			}
			zero := reflect.New(reflect.TypeOf(s.sample).Elem()).Interface()
			for n := range b {
				got, err := s.decode(b[:n:n])
				want := avro.ErrTruncated
				if n < avro.HeaderBytes {
					want = avro.ErrMagic
				}
				// A list whose items cannot fit in what remains is refused at its count.
				if !errors.Is(err, want) && (n <= avro.HeaderBytes || !errors.Is(err, avro.ErrMalformed)) {
					t.Errorf("first %d of %d bytes: %v, want %v", n, len(b), err, want)
				}
				if !reflect.DeepEqual(got, zero) {
					t.Errorf("first %d of %d bytes left %+v behind", n, len(b), got)
				}
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	schema, err := avro.Load(avro.NameDeadLetter)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := avro.NewCodec[avro.DeadLetter](schema, 7)
	if err != nil {
		t.Fatal(err)
	}
	good, err := codec.Append(nil, sampleDeadLetter())
	if err != nil {
		t.Fatal(err)
	}
	bare, err := codec.AppendBare(nil, sampleDeadLetter())
	if err != nil {
		t.Fatal(err)
	}
	if got := codec.Bare(good); !bytes.Equal(got, bare) {
		t.Errorf("Bare = %x, AppendBare %x", got, bare)
	}
	body := good[avro.HeaderBytes:]
	bad := func(head []byte, tail ...byte) []byte { return append(append([]byte{}, head...), tail...) }
	cases := []struct {
		name   string
		decode func([]byte, *avro.DeadLetter) error
		bytes  []byte
		want   error
	}{
		{"nothing", codec.Decode, nil, avro.ErrMagic},
		{"json", codec.Decode, []byte(`{"code":"x"}`), avro.ErrMagic},
		{"other magic", codec.Decode, bad([]byte{1, 0, 0, 0, 7}, body...), avro.ErrMagic},
		{"impossible id", codec.Decode, bad([]byte{0, 0xff, 0, 0, 7}, body...), avro.ErrMagic},
		{"other id without a registry", codec.Decode, bad([]byte{0, 0, 0, 0, 8}, body...), avro.ErrUnknownSchema},
		{"a byte too many", codec.Decode, bad(good, 0), avro.ErrTrailing},
		{"negative length", codec.Decode, []byte{0, 0, 0, 0, 7, 1}, avro.ErrMalformed},
		{"length of 2^62", codec.Decode, []byte{0, 0, 0, 0, 7, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, avro.ErrTruncated},
		{"varint over 64 bits", codec.Decode, bad([]byte{0, 0, 0, 0, 7}, bytesOf(0xff, 12)...), avro.ErrMalformed},
		{"bare nothing", codec.DecodeBare, nil, avro.ErrTruncated},
		{"bare of a later version", codec.DecodeBare, bad([]byte{schema.Version + 1}, body...), avro.ErrBareVersion},
		{"bare of version zero", codec.DecodeBare, bad([]byte{0}, body...), avro.ErrBareVersion},
		{"bare with a byte too many", codec.DecodeBare, bad(bare, 0), avro.ErrTrailing},
		{"bare cut", codec.DecodeBare, bare[:len(bare)-1], avro.ErrTruncated},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := *sampleDeadLetter()
			err := c.decode(c.bytes, &v)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if v != (avro.DeadLetter{}) {
				t.Errorf("left behind: %+v", v)
			}
		})
	}
}

func bytesOf(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

// TestTypedArrayBomb asks a record for 2^40 array items in a few bytes.
func TestTypedArrayBomb(t *testing.T) {
	schema, err := avro.Load(avro.NameAlert)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := avro.NewCodec[avro.Alert](schema, 7)
	if err != nil {
		t.Fatal(err)
	}
	// Eight empty strings, then the count of evidence.
	bomb := append([]byte{0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40)
	grew := testing.AllocsPerRun(10, func() {
		var v avro.Alert
		if err := codec.Decode(bomb, &v); err == nil {
			t.Fatal("the bomb decoded")
		}
	})
	if grew > 50 {
		t.Errorf("%v allocations for a bomb", grew)
	}
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	schema, err := avro.Load(avro.NameCreditEntry)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := avro.NewCodec[avro.CreditEntry](schema, 7)
	if err != nil {
		t.Fatal(err)
	}
	entry := sampleCreditEntry()
	entry.EntryCount = math.MaxInt32 + 1
	b, err := codec.Append([]byte("dst"), entry)
	if !errors.Is(err, avro.ErrEncode) || string(b) != "dst" {
		t.Errorf("got %q, %v; want dst unchanged and %v", b, err, avro.ErrEncode)
	}
	if _, err := avro.NewCodec[avro.Alert](schema, 7); err == nil {
		t.Error("a codec of the wrong struct was made")
	}
	for _, id := range []int{-1, math.MaxInt32 + 1} {
		if _, err := avro.NewCodec[avro.CreditEntry](schema, id); !errors.Is(err, avro.ErrSchema) {
			t.Errorf("id %d: %v", id, err)
		}
	}
	if _, err := avro.NewCodec[avro.CreditEntry](avro.Schema{Name: "mine"}, 1); !errors.Is(err, avro.ErrSchema) {
		t.Errorf("a schema of nowhere: %v", err)
	}
}

// TestValuesDoNotAliasTheBytes reuses the buffer after a decode, as pollers do.
func TestValuesDoNotAliasTheBytes(t *testing.T) {
	for _, s := range subjects(t) {
		b, err := s.encode(nil, s.sample)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		if !reflect.DeepEqual(got, s.sample) {
			t.Errorf("%s changed with the buffer it was read from", s.name)
		}
	}
}

// counting answers Schema from a function and counts the requests.
type counting struct {
	avro.Registry
	calls  atomic.Int64
	schema func(ctx context.Context, id int) (string, error)
}

func (c *counting) Schema(ctx context.Context, id int) (string, error) {
	c.calls.Add(1)
	return c.schema(ctx, id)
}

func openWith(t *testing.T, schema func(context.Context, int) (string, error)) (*avro.Codecs, *counting) {
	t.Helper()
	reg := &counting{Registry: avro.NewMemory(), schema: schema}
	codecs, err := avro.OpenCodecs(t.Context(), reg, "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	return codecs, reg
}

// TestDecodeOfAnotherRelease reads what an older and a newer build wrote.
func TestDecodeOfAnotherRelease(t *testing.T) {
	schema, err := avro.Load(avro.NameDeadLetter)
	if err != nil {
		t.Fatal(err)
	}
	// The older one had 32-bit offsets; the newer one has another field.
	older := strings.Replace(schema.Text, `"name":"raw_offset","type":"long"`, `"name":"raw_offset","type":"int"`, 1)
	newer := strings.Replace(schema.Text, `"fields":[`, `"fields":[{"name":"extra","type":"string","default":"","doc":"d"},`, 1)
	if older == schema.Text || newer == schema.Text {
		t.Fatal("the edits did not apply")
	}
	texts := map[int]string{1: older, 2: newer, 3: `{"type":"record","name":"tracksource.v1.DeadLetter","fields":[{"name":"x","type":"string"}]}`, 4: `nonsense`}
	codecs, reg := openWith(t, func(_ context.Context, id int) (string, error) {
		if text, ok := texts[id]; ok {
			return text, nil
		}
		return "", avro.ErrUnknownSchema
	})
	want := sampleDeadLetter()
	own, err := codecs.DeadLetter.Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	body := own[avro.HeaderBytes:]
	cases := []struct {
		name  string
		bytes []byte
		want  error
	}{
		// 42 has one form as int and long.
		{"older", append(avro.AppendHeader(nil, 1), body...), nil},
		{"newer", append(append(avro.AppendHeader(nil, 2), 4, 'h', 'i'), body...), nil},
		{"another record", append(avro.AppendHeader(nil, 3), 4, 'h', 'i'), avro.ErrSchema},
		{"not Avro", append(avro.AppendHeader(nil, 4), body...), avro.ErrSchema},
		{"unknown", append(avro.AppendHeader(nil, 5), body...), avro.ErrUnknownSchema},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := reg.calls.Load()
			for range 3 {
				var got avro.DeadLetter
				err := codecs.DeadLetter.Decode(c.bytes, &got)
				if !errors.Is(err, c.want) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				if c.want == nil && got != *want {
					t.Fatalf("got  %+v\nwant %+v", got, *want)
				}
			}
			if n := reg.calls.Load() - before; n != 1 {
				t.Errorf("%d requests for one id, want 1", n)
			}
		})
	}
}

// TestDecodeOver reads entries into one value and finds nothing of the one before in
// any: neither where lists are shorter, nor where their writer did not know them.
func TestDecodeOver(t *testing.T) {
	schema, err := avro.Load(avro.NameCreditEntry)
	if err != nil {
		t.Fatal(err)
	}
	older := regexp.MustCompile(`\{"name":"confiden(ce|t)"[^{}]*(\{[^{}]*\})?[^{}]*\},`).ReplaceAllString(schema.Text, "")
	writer, err := twmb.Parse(older)
	if err != nil || older == schema.Text {
		t.Fatalf("the edit did not apply, or %v", err)
	}
	codecs, _ := openWith(t, func(context.Context, int) (string, error) { return older, nil })
	var encoded [][]byte
	long, short, none := sampleCreditEntry(), sampleCreditEntry(), &avro.CreditEntry{Kind: "generation"}
	short.Models, short.Delta, short.Running, short.Confident = short.Models[:1], short.Delta[1:2], short.Running[1:2], short.Confident[1:2]
	for _, e := range []*avro.CreditEntry{long, short, none, long} {
		b, err := codecs.Credit.Append(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		encoded = append(encoded, b)
	}
	b, err := writer.AppendEncode(avro.AppendHeader(nil, 1), long)
	if err != nil {
		t.Fatal(err)
	}
	encoded = append(encoded, b, encoded[1])
	var got avro.CreditEntry
	for i, b := range encoded {
		var want avro.CreditEntry
		if err := errors.Join(codecs.Credit.Decode(b, &want), codecs.Credit.DecodeOver(b, &got)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("entry %d\ngot  %+v\nwant %+v", i, got, want)
		}
	}
}

// TestUnknownIDIsAskedAgain shows that a flood of a bad id is answered without
// the registry, and that an id registered later is found all the same.
func TestUnknownIDIsAskedAgain(t *testing.T) {
	schema, err := avro.Load(avro.NameDeadLetter)
	if err != nil {
		t.Fatal(err)
	}
	var registered atomic.Bool
	codecs, reg := openWith(t, func(context.Context, int) (string, error) {
		if registered.Load() {
			return schema.Text, nil
		}
		return "", avro.ErrUnknownSchema
	})
	own, err := codecs.DeadLetter.Append(nil, sampleDeadLetter())
	if err != nil {
		t.Fatal(err)
	}
	other := append(avro.AppendHeader(nil, 99), own[avro.HeaderBytes:]...)
	var v avro.DeadLetter
	for range 500 {
		if err := codecs.DeadLetter.Decode(other, &v); !errors.Is(err, avro.ErrUnknownSchema) {
			t.Fatal(err)
		}
	}
	if n := reg.calls.Load(); n != 1 {
		t.Errorf("500 bad records made %d requests", n)
	}
	registered.Store(true)
	for n := 0; codecs.DeadLetter.Decode(other, &v) != nil; n++ {
		if n > 2000 {
			t.Fatal("an id registered late is never found")
		}
	}
}

// TestRegistryTrouble tells a registry that cannot be asked from one that does
// not know: the first is worth another try, is not kept, and does not block.
func TestRegistryTrouble(t *testing.T) { synctest.Test(t, testRegistryTrouble) }

func testRegistryTrouble(t *testing.T) {
	schema, err := avro.Load(avro.NameDeadLetter)
	if err != nil {
		t.Fatal(err)
	}
	var healthy atomic.Bool
	codecs, _ := openWith(t, func(ctx context.Context, _ int) (string, error) {
		if healthy.Load() {
			return schema.Text, nil
		}
		<-ctx.Done() // a registry that hangs
		return "", ctx.Err()
	})
	own, err := codecs.DeadLetter.Append(nil, sampleDeadLetter())
	if err != nil {
		t.Fatal(err)
	}
	other := append(avro.AppendHeader(nil, 99), own[avro.HeaderBytes:]...)
	var v avro.DeadLetter
	start := time.Now()
	err = codecs.DeadLetter.Decode(other, &v)
	if !errors.Is(err, avro.ErrRegistry) || errors.Is(err, avro.ErrUnknownSchema) {
		t.Errorf("a registry that hangs: %v", err)
	}
	if took := time.Since(start); took > avro.LookupTimeout {
		t.Errorf("blocked for %s", took)
	}
	healthy.Store(true)
	if err := codecs.DeadLetter.Decode(other, &v); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

func TestDecimal(t *testing.T) {
	cases := []struct {
		minor    int64
		exponent int
		show     int
		want     string
	}{
		{0, 2, 2, "0.00"},
		{0, 0, 0, "0"},
		{1, 2, 2, "0.01"},
		{-1, 2, 2, "-0.01"},
		{1250, 2, 2, "12.50"},
		{1250, 2, 0, "12.5"},
		{-123456, 2, 2, "-1234.56"},
		{1500, 0, 0, "1500"},
		{333333, 6, 6, "0.333333"},
		{1000000, 6, 0, "1"},
		{128, 9, 0, "0.000000128"},
		{math.MaxInt64, 0, 0, "9223372036854775807"},
		{math.MinInt64, 0, 0, "-9223372036854775808"},
		{math.MinInt64, 9, 9, "-9223372036.854775808"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d e-%d", c.minor, c.exponent), func(t *testing.T) {
			var row avro.ContributionRow
			if err := row.SetValue(c.minor, c.exponent); err != nil {
				t.Fatal(err)
			}
			if got, err := row.ValueText(c.show); err != nil || got != c.want {
				t.Errorf("text %q, %v; want %q", got, err, c.want)
			}
			if got, err := row.ValueMinor(c.exponent); err != nil || got != c.minor {
				t.Errorf("minor %d, %v; want %d", got, err, c.minor)
			}
		})
	}
}

func TestDecimalErrors(t *testing.T) {
	row := avro.ContributionRow{}
	for _, exponent := range []int{-1, 10} {
		if err := row.SetValue(1, exponent); !errors.Is(err, avro.ErrDecimal) {
			t.Errorf("SetValue exponent %d: %v", exponent, err)
		}
		if _, err := row.ValueText(exponent); !errors.Is(err, avro.ErrDecimal) {
			t.Errorf("ValueText exponent %d: %v", exponent, err)
		}
	}
	if err := row.SetValue(125, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := row.ValueMinor(2); !errors.Is(err, avro.ErrDecimal) {
		t.Errorf("0.125 in cents: %v", err)
	}
	if err := row.SetValue(math.MaxInt64, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := row.ValueMinor(9); !errors.Is(err, avro.ErrDecimal) {
		t.Errorf("an overflow: %v", err)
	}
	for name, value := range map[string][]byte{"empty": {}, "17 bytes": make([]byte, 17), "39 digits": append([]byte{0x7f}, make([]byte, 15)...)} {
		row.Value = value
		if _, err := row.ValueText(0); !errors.Is(err, avro.ErrDecimal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecimalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64().Draw(t, "minor")
		exponent := rapid.IntRange(0, 9).Draw(t, "exponent")
		var row avro.ContributionRow
		if err := row.SetValue(minor, exponent); err != nil {
			t.Fatal(err)
		}
		if got, err := row.ValueMinor(exponent); err != nil || got != minor {
			t.Fatalf("got %d, %v", got, err)
		}
		if b := row.Value; len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
			t.Fatalf("%d e-%d is %x, whose first byte says nothing", minor, exponent, b)
		}
	})
}

// TestRowGarbage: what a row is read into is itself, its texts in one piece and its values.
// A campaign has millions of them.
func TestRowGarbage(t *testing.T) {
	codecs, _ := openWith(t, nil)
	row := avro.ContributionRow{Contract: "launch", Measure: "revenue", Model: "linear", Day: "2026-05-20", Partner: "acme", Currency: "EUR", Version: 1, UpdatedAt: time.Unix(1, 0), AsOf: time.Unix(1, 0)}
	if err := errors.Join(row.SetValue(-123456, 2), row.SetConfident(123456, 2)); err != nil {
		t.Fatal(err)
	}
	b, err := codecs.ContributionRow.Append(nil, &row)
	if err != nil {
		t.Fatal(err)
	}
	var into avro.ContributionRow
	got := testing.AllocsPerRun(100, func() {
		if err := codecs.ContributionRow.Decode(b, &into); err != nil {
			t.Fatal(err)
		}
		units, err := into.Units()
		if err != nil || units.Int64() != -1234_560_000_000 {
			t.Fatal(units, err)
		}
	})
	const most = 5
	if got > most {
		t.Errorf("a row is read in %v allocations, want %d at most", got, most)
	}
}
