package state

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Digest is an incremental digest of a set of keys and values: the sum modulo
// 2^128 of one hash for each. Adding and removing a pair cancel, so that it
// follows every change at the cost of two hashes, and any order of the same
// changes gives the same digest. It finds accidents (a key missed, resurrected
// or written twice), not adversaries.
type Digest struct{ hi, lo uint64 }

// pairHash hashes a key and a value, told apart by their lengths, into two
// lanes that differ in their seed.
func pairHash(key, value []byte) (hi, lo uint64) {
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(len(key)))
	binary.BigEndian.PutUint64(n[8:], uint64(len(value)))
	var d xxhash.Digest
	lane := func(seed uint64) uint64 {
		d.ResetWithSeed(seed)
		_, _ = d.Write(n[:]) // a hash never fails
		_, _ = d.Write(key)
		_, _ = d.Write(value)
		return d.Sum64()
	}
	return lane(0x7472616b736f7572), lane(0x63652d7374617465)
}

func (d *Digest) add(key, value []byte) {
	hi, lo := pairHash(key, value)
	var carry uint64
	d.lo, carry = bits.Add64(d.lo, lo, 0)
	d.hi, _ = bits.Add64(d.hi, hi, carry)
}

func (d *Digest) remove(key, value []byte) {
	hi, lo := pairHash(key, value)
	var borrow uint64
	d.lo, borrow = bits.Sub64(d.lo, lo, 0)
	d.hi, _ = bits.Sub64(d.hi, hi, borrow)
}

// Sum returns the digest of a whole state and how many keys it has, as a store
// that holds it would.
func Sum(pairs iter.Seq2[[]byte, []byte]) (digest [16]byte, keys int64) {
	var d Digest
	for k, v := range pairs {
		d.add(k, v)
		keys++
	}
	return d.Bytes(), keys
}

// Bytes returns the digest as 16 bytes, big-endian.
func (d Digest) Bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], d.hi)
	binary.BigEndian.PutUint64(b[8:], d.lo)
	return b
}

func digestFrom(b []byte) Digest {
	return Digest{hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:16])}
}
