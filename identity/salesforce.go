package identity

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
