package stream_test

import (
	"testing"

	"tracksource/stream"
)

// FuzzDecode: any bytes in a changelog or beside a store give a value or an
// error.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"next":5,"sequence":2,"generation":1,"owner":"a","digest":"00","keys":3}`))
	f.Add([]byte(`{"format":1,"cluster":"c","checkpoint":{},"position":9} x`))
	f.Add([]byte(`{"nonce":"n","owner":"o","next":{"1":2}}`))
	f.Fuzz(func(_ *testing.T, b []byte) { stream.DecodeAll(b) })
}
