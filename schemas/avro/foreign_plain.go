package avro

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

const (
	uuidBytes = 16
	yearMax   = 9999 // the last that RFC 3339 can write

	stampLayout = "2006-01-02T15:04:05.999999999Z07:00"
	localLayout = "2006-01-02T15:04:05.999999999"
	clockLayout = "15:04:05.999999999"
)

// plain makes what goavro gave for a shape JSON-like. goavro's values have the
// Go types that its documentation names; others are ErrMalformed.
func plain(s *shape, native any) (any, error) {
	switch v := native.(type) {
	case nil, bool:
		return v, nil
	case int32:
		return plainInteger(s, int64(v))
	case int64:
		return plainInteger(s, v)
	case float32:
		return plainFloat(float64(v), 32)
	case float64:
		return plainFloat(v, 64)
	case string:
		return v, nil
	case []byte:
		return plainBytes(s, v)
	case []any:
		return plainArray(s, v)
	case map[string]any:
		return plainMap(s, v)
	default:
		return nil, fmt.Errorf("%w: %T for %s", ErrMalformed, native, s.kind)
	}
}

func plainArray(s *shape, items []any) (any, error) {
	if s.kind != "array" {
		return nil, fmt.Errorf("%w: items for %s", ErrMalformed, s.kind)
	}
	var err error
	for i := range items {
		if items[i], err = plain(s.items, items[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// plainMap makes a record, a map or the wrapper of a union's branch plain. The
// map is goavro's own, so it is changed in place.
func plainMap(s *shape, values map[string]any) (any, error) {
	switch s.kind {
	case "record":
		for _, f := range s.fields {
			value, err := plain(f.shape, values[f.name])
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", f.name, err)
			}
			values[f.name] = value
		}
		return values, nil
	case "map":
		for key := range values {
			value, err := plain(s.items, values[key])
			if err != nil {
				return nil, err
			}
			values[key] = value
		}
		return values, nil
	case "union":
		for _, branch := range s.branches {
			if value, ok := values[branch.branchName()]; ok {
				return plain(branch, value)
			}
		}
	}
	return nil, fmt.Errorf("%w: a map for %s", ErrMalformed, s.kind)
}

func plainFloat(v float64, bits int) (any, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("%w: a number that is not finite", ErrMalformed)
	}
	// The form of encoding/json: no exponent where a reader expects none.
	form := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return json.Number(strconv.FormatFloat(v, form, -1, bits)), nil
}

func plainInteger(s *shape, v int64) (any, error) {
	switch s.logical {
	case "date":
		return plainTime(time.Unix(v*int64(24*time.Hour/time.Second), 0), time.DateOnly)
	case "time-millis":
		return plainClock(v, time.Millisecond)
	case "time-micros":
		return plainClock(v, time.Microsecond)
	case "timestamp-millis":
		return plainTime(time.UnixMilli(v), stampLayout)
	case "timestamp-micros":
		return plainTime(time.UnixMicro(v), stampLayout)
	case "timestamp-nanos":
		return plainTime(time.Unix(0, v), stampLayout)
	case "local-timestamp-millis":
		return plainTime(time.UnixMilli(v), localLayout)
	case "local-timestamp-micros":
		return plainTime(time.UnixMicro(v), localLayout)
	case "local-timestamp-nanos":
		return plainTime(time.Unix(0, v), localLayout)
	default:
		return json.Number(strconv.FormatInt(v, 10)), nil
	}
}

func plainTime(t time.Time, layout string) (any, error) {
	t = t.UTC()
	if year := t.Year(); year < 1 || year > yearMax {
		return nil, fmt.Errorf("%w: a time outside the years 1 to %d", ErrMalformed, yearMax)
	}
	return t.Format(layout), nil
}

func plainClock(v int64, unit time.Duration) (any, error) {
	if v < 0 || v >= int64(24*time.Hour/unit) {
		return nil, fmt.Errorf("%w: a time of day outside the day", ErrMalformed)
	}
	return time.Unix(0, v*int64(unit)).UTC().Format(clockLayout), nil
}

func plainBytes(s *shape, b []byte) (any, error) {
	switch s.logical {
	case "decimal":
		v := fromTwosComplement(b)
		if v.CmpAbs(pow10(s.precision)) >= 0 {
			return nil, fmt.Errorf("%w: a decimal of more than %d digits", ErrMalformed, s.precision)
		}
		return decimalText(v, s.scale, s.scale), nil
	case "uuid":
		if len(b) != uuidBytes {
			return nil, fmt.Errorf("%w: a uuid of %d bytes", ErrMalformed, len(b))
		}
		h := hex.EncodeToString(b)
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
	default:
		return base64.StdEncoding.EncodeToString(b), nil
	}
}
