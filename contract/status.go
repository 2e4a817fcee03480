package contract

import "strings"

// typeNone is what a contract writes for a status that is no touch.
const typeNone = "none"

// statusRule says what a status of a campaign member is as a touch.
type statusRule struct {
	partner, source string // empty: any
	status          pattern
	touchType       string // empty: no touch
	rule            string
}

// touchType decides what type a touch is of: the contract's first rule for the
// partner, the source and the status, else what the decoder found, else the common
// names of statuses. The rule is empty where no status decided.
func (c *Contract) touchType(in TouchInput) (touchType, rule string) {
	status := fold(in.Status)
	if status == "" {
		return in.Type, ""
	}
	for _, r := range c.rules.statuses {
		if (r.partner == "" || r.partner == in.Reporter) && (r.source == "" || r.source == in.Source) && r.status.match(status) {
			return r.touchType, "type: " + r.rule + "; "
		}
	}
	if in.Type != "" {
		return in.Type, ""
	}
	if touchType = statusType(status); touchType == "" {
		return "", "type: no rule for the status; "
	}
	return touchType, "type: built-in status; "
}

// statusType knows the statuses that CRMs ship with and people add to them. Who
// was sent something, invited or did not come has not done anything.
func statusType(status string) string {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(status, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no show", "no-show", "not attend", "did not", "cancel", "unsubscribed", "waitlist"):
		return ""
	case has("attended"):
		return TypeAttendance
	case has("registered"):
		return TypeRegistration
	case has("downloaded"):
		return TypeDownload
	case has("clicked"):
		return TypeEmailClick
	case has("met with", "meeting held", "visited booth"):
		return TypeMeeting
	case has("responded", "filled-out form", "filled out form", "submitted form"):
		return TypeForm
	}
	return ""
}
