package identity

import "strings"

// Lookup finds a key in a list that is embedded as text: a line for each key,
// sorted by the bytes of the keys, with the value behind a comma if it has one. Lines of "#" are
// comments, which sort in front. Searching the text by halves keeps such lists
// free of start-up work and of state.
func Lookup(list, key string) (value string, found bool) {
	low, high := 0, len(list)
	for low < high {
		from := low + strings.LastIndexByte(list[low:low+(high-low)/2], '\n') + 1
		line := list[from:high]
		if end := strings.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		name, value := line, ""
		if comma := strings.IndexByte(line, ','); comma >= 0 {
			name, value = line[:comma], line[comma+1:]
		}
		switch {
		case name == key && !strings.HasPrefix(key, "#"):
			return value, key != ""
		case name < key:
			low = from + len(line) + 1
		default:
			high = from
		}
	}
	return "", false
}
