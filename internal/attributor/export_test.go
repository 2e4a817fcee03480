package attributor

// DecodeState runs every decoder of state over the bytes, and returns what those
// that accept them encode again.
func DecodeState(value []byte) [][]byte {
	var out [][]byte
	if v, err := decodeObject(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeTouch(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeReach(value); err == nil {
		out = append(out, encodeReach(v))
	}
	if v, err := decodeBooked(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeRunning(value); err == nil {
		out = append(out, v.encode())
	}
	if v, err := decodeNumbering(value); err == nil {
		out = append(out, v.encode())
	}
	if body, err := spaceControl.Body(value); err == nil {
		if v, err := decodeSweep(body); err == nil {
			out = append(out, v.encode())
		}
		if v, err := decodeNumber(body); err == nil {
			out = append(out, encodeNumber(v))
		}
	}
	return out
}
