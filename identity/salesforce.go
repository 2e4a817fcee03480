package identity

import "strings"

// SalesforceID returns the form of 18 characters of a Salesforce record's id.
// Some exports, and people, have that of 15, which lacks the three characters
// that say which letters are capitals; what is none is returned as it is.
// https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm
func SalesforceID(id string) string {
	if len(id) != 15 {
		return id
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	suffix := make([]byte, 3)
	for i := range suffix {
		var bits byte
		for j := range 5 {
			switch c := id[i*5+j]; {
			case c >= 'A' && c <= 'Z':
				bits |= 1 << j
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			default:
				return id
			}
		}
		suffix[i] = digits[bits]
	}
	return id + string(suffix)
}

// RestoreSalesforceID returns an id of 18 characters with the case that its letters
// must have, which its last three say: some programs write all of it large or
// small. What is none is returned as it is.
func RestoreSalesforceID(id string) string {
	if len(id) != 18 {
		return id
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	restored := []byte(strings.ToLower(id[:15]) + strings.ToUpper(id[15:]))
	if len(restored) != len(id) {
		return id
	}
	for i := range 3 {
		bits := strings.IndexByte(digits, restored[15+i])
		if bits < 0 {
			return id
		}
		for j := range 5 {
			switch c := restored[i*5+j]; {
			case bits>>j&1 == 0 && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9'):
			case bits>>j&1 == 1 && c >= 'a' && c <= 'z':
				restored[i*5+j] = c - 'a' + 'A'
			default:
				return id
			}
		}
	}
	return string(restored)
}
