package governance

import (
	"strings"

	"tracksource/schemas/avro"
)

func (j *judge) signature(r *avro.SignatureRecord) error {
	if err := j.agreed("signature", r.Campaign); err != nil {
		return err
	}
	if err := j.signatory("signature", r.Partner); err != nil {
		return err
	}
	switch {
	case !isHash(r.Hash):
		return Refuse("signature: %q is not the SHA-256 of a manifest in lower-case hexadecimal", cut(r.Hash))
	case r.Decision != Approved && r.Decision != Disputed:
		return Refuse("signature: %q; write %s or %s", cut(r.Decision), Approved, Disputed)
	case len(r.Title) > NameMax:
		return Refuse("signature: a title has at most %d bytes", NameMax)
	}
	if err := said("signature", r.By, r.Why, r.At); err != nil {
		return err
	}
	words := *r
	words.At = instant(r.At)
	name, err := content(words)
	if err != nil {
		return err
	}
	return j.once(Key{Of: "signature", Campaign: r.Campaign, Name: r.Partner, Sub: r.Hash}, name)
}

// acknowledgement takes in that somebody looks after an alert. Whether there is one
// of that id is not known here: alerts come and are settled beside control.
func (j *judge) acknowledgement(r *avro.AcknowledgementRecord) error {
	const what = "acknowledgement"
	if r.Alert == "" || len(r.Alert) > alertMax {
		return Refuse("%s: the id of an alert has between 1 and %d bytes", what, alertMax)
	}
	if r.Campaign != "" {
		if err := j.agreed(what, r.Campaign); err != nil {
			return err
		}
	}
	switch {
	case r.Partner == "":
	case r.Campaign == "":
		return Refuse("%s: alerts of no campaign are the operator's", what)
	default:
		if err := j.signatory(what, r.Partner); err != nil {
			return err
		}
	}
	if err := said(what, r.By, r.Why, r.At); err != nil {
		return err
	}
	words := *r
	words.At = instant(r.At)
	name, err := content(words)
	if err != nil {
		return err
	}
	return j.once(Key{Of: what, Campaign: r.Campaign, Name: r.Partner, Sub: r.Alert}, name)
}

func (j *judge) survey(r *avro.SurveyRecord) error {
	if err := j.agreed("survey", r.Campaign); err != nil {
		return err
	}
	if err := j.signatory("survey", r.Partner); err != nil {
		return err
	}
	if err := said("survey", r.By, r.Why, r.At); err != nil {
		return err
	}
	day, err := dayFor("survey", r.Day)
	if err != nil {
		return err
	}
	if today := j.now.Agreed.Day(r.At); day > today {
		return Refuse("survey: %s is after %s, when it was said", r.Day, today)
	}
	if !isScore(r.Score) {
		return Refuse("survey: a score of %q; write 0 to 10 with at most one decimal place", cut(r.Score))
	}
	words := *r
	words.At = instant(r.At)
	name, err := content(words)
	if err != nil {
		return err
	}
	return j.once(Key{Of: "survey", Campaign: r.Campaign, Name: r.Partner, Sub: r.Day}, name)
}

// isScore reports whether a text is 0 to 10 with at most one decimal place.
func isScore(text string) bool {
	whole, tenth, split := strings.Cut(text, ".")
	if split && (len(tenth) != 1 || tenth < "0" || tenth > "9") {
		return false
	}
	if whole == "10" {
		return !split || tenth == "0"
	}
	return len(whole) == 1 && whole >= "0" && whole <= "9"
}
