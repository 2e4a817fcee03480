package stream

// DecodeAll runs the decoders of what lies in changelogs and stores.
func DecodeAll(b []byte) {
	_, _ = decodeCheckpoint(b)
	_, _ = decodeMeta(b)
	var bar barrier
	_ = strictJSON(b, &bar)
	var tm tableMeta
	_ = strictJSON(b, &tm)
}
