package state_test

import (
	"bytes"
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracksource/state"
)

var space = state.Keyspace{ID: 7, Version: 2, Name: "test"}

// TestKeyRoundTrip: parts come back, and different parts give different keys.
func TestKeyRoundTrip(t *testing.T) {
	type parts struct {
		a, b string
		n    uint32
		m    uint64
	}
	draw := func(t *rapid.T) parts {
		s := rapid.StringMatching(`[a-b\-]{0,3}`)
		return parts{s.Draw(t, "a"), s.Draw(t, "b"), rapid.Uint32().Draw(t, "n"), rapid.Uint64().Draw(t, "m")}
	}
	key := func(p parts) state.Key { return space.Key().String(p.a).Uint32(p.n).String(p.b).Uint64(p.m) }
	rapid.Check(t, func(t *rapid.T) {
		p, q := draw(t), draw(t)
		r := space.Parts(key(p))
		got := parts{a: r.String(), n: r.Uint32(), b: r.String(), m: r.Uint64()}
		if err := r.End(); err != nil || got != p {
			t.Fatalf("read back %+v, %v, want %+v", got, err, p)
		}
		if bytes.Equal(key(p), key(q)) != (p == q) {
			t.Fatalf("keys of %+v and %+v are %x and %x", p, q, key(p), key(q))
		}
		from, to := space.Key().String(p.a).Range()
		in := bytes.Compare(key(q), from) >= 0 && bytes.Compare(key(q), to) < 0
		if in != (q.a == p.a) {
			t.Fatalf("key of %+v in the range of %q: %v", q, p.a, in)
		}
	})
}

// TestOrderedKeys: keys of instants and ordered strings sort as these do, part by
// part, and are read back.
func TestOrderedKeys(t *testing.T) {
	type parts struct {
		at   time.Time
		a, b string
		kind byte
	}
	draw := func(t *rapid.T) parts {
		s := rapid.StringMatching(`[\x00\x01a\x{ff}]{0,3}`)
		micros := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64Range(-62135596800000000, 253402300799000000))
		return parts{time.UnixMicro(micros.Draw(t, "at")).UTC(), s.Draw(t, "a"), s.Draw(t, "b"), rapid.Byte().Draw(t, "kind")}
	}
	key := func(p parts) state.Key { return space.Key().Time(p.at).Ordered(p.a).Ordered(p.b).Byte(p.kind) }
	rapid.Check(t, func(t *rapid.T) {
		p, q := draw(t), draw(t)
		r := space.Parts(key(p))
		got := parts{at: r.Time(), a: r.Ordered(), b: r.Ordered(), kind: r.Byte()}
		if err := r.End(); err != nil || got != p {
			t.Fatalf("read back %+v, %v, want %+v", got, err, p)
		}
		want := cmp.Or(p.at.Compare(q.at), strings.Compare(p.a, q.a), strings.Compare(p.b, q.b), cmp.Compare(p.kind, q.kind))
		if c := bytes.Compare(key(p), key(q)); c != want {
			t.Fatalf("keys of %+v and %+v compare as %d, want %d", p, q, c, want)
		}
	})
}

func TestLayout(t *testing.T) {
	if _, err := state.NewLayout(space, state.Keyspace{ID: 7, Name: "other"}); err == nil {
		t.Error("two keyspaces with one id were accepted")
	}
	if _, err := state.NewLayout(space, state.Keyspace{ID: 8, Name: "test"}); err == nil {
		t.Error("two keyspaces with one name were accepted")
	}
}

func TestValueVersion(t *testing.T) {
	if b, err := space.Body(space.Value([]byte("x"))); err != nil || string(b) != "x" {
		t.Errorf("Body(Value(x)) = %q, %v", b, err)
	}
	for _, v := range [][]byte{nil, {0}, {3, 'x'}} {
		if _, err := space.Body(v); !errors.Is(err, state.ErrVersion) {
			t.Errorf("Body(%v) = %v, want ErrVersion", v, err)
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte(space.Key().String("a").Uint32(1).Bytes([]byte("b")).Uint64(2).Ordered("c\x00").Byte(3).Time(time.Unix(4, 0))))
	f.Add([]byte{7, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := space.Parts(b)
		k := space.Key().String(p.String()).Uint32(p.Uint32()).Bytes(p.Bytes()).Uint64(p.Uint64()).Ordered(p.Ordered()).Byte(p.Byte()).Time(p.Time())
		if p.End() == nil && !bytes.Equal(k, b) {
			t.Errorf("%x reads and writes as %x", b, k)
		}
	})
}
