package report

// FeedCounts says what became of the native events of a feed, as far as it is told.
// Touches and Unmatched are of now, the others of all that ever came.
type FeedCounts struct {
	Accepted    int64 `json:"accepted"`    // distinct events taken in
	Duplicates  int64 `json:"duplicates"`  // the same event again
	Late        int64 `json:"late"`        // older than the horizon
	Suppressed  int64 `json:"suppressed"`  // of people who were erased
	Unmatchable int64 `json:"unmatchable"` // accepted ones with a ready-hashed address without its domain or of another scheme
	Touches     int64 `json:"touches"`     // of accepted events, that count now
	Unmatched   int64 `json:"unmatched"`   // of these, whose account only stands in for one
}

// Add returns the sum of c and o.
func (c FeedCounts) Add(o FeedCounts) FeedCounts {
	return FeedCounts{
		Accepted: c.Accepted + o.Accepted, Duplicates: c.Duplicates + o.Duplicates, Late: c.Late + o.Late,
		Suppressed: c.Suppressed + o.Suppressed, Unmatchable: c.Unmatchable + o.Unmatchable,
		Touches: c.Touches + o.Touches, Unmatched: c.Unmatched + o.Unmatched,
	}
}

// MatchRate is the part of the touches that are on a known account, written as Ratio
// does; false without touches.
func (c FeedCounts) MatchRate() (string, bool) {
	return Ratio(ValueOf(c.Touches-c.Unmatched, 0), ValueOf(c.Touches, 0))
}
