package attributor

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// The actions of a period record.
const (
	periodClose  = "close"
	periodReopen = "reopen"
)

// period is what is closed of one campaign.
type period struct {
	closings []attribution.Closing // in the order of control
	number   int64                 // of the broadcast of the last
	// opened is when the newest dispute of the campaign was, of those that this
	// partition has seen.
	opened time.Time
}

// open is the first day that is open now.
func (p period) open() money.Day {
	if len(p.closings) == 0 {
		return money.DayMin
	}
	last := p.closings[len(p.closings)-1]
	if last.Close {
		return last.Day + 1
	}
	return last.Day
}

// booking is the first day that changes of a book are booked on, and the number of
// the closing that says so. Nothing is closed of a proposal's book, which has another
// name than its campaign: nobody agreed to its figures.
func (r *rules) booking(c *campaign) (open money.Day, closing int64) {
	p := r.periods[c.id]
	return p.open(), p.number
}

// judged is the rules with what was closed when.
func (r *rules) judged(c *campaign) attribution.Rules {
	name, _ := contract.CampaignOfBook(c.id)
	closings := r.periods[name].closings
	if len(closings) == 0 {
		return c.rules
	}
	rules := slices.Clone(c.rules)
	for i := range rules {
		rules[i].Closings = closings
	}
	return rules
}

// applyPeriod closes days, or opens them again. What came before is booked by what
// was open then, so that a batch that a closing is in the middle of books as two
// would. A sweep that is under way gets the slice that the first of them would end
// with, and goes on behind the closing: what it changes of closed days from there on
// adjusts them.
func (f *fold) applyPeriod(ctx context.Context, number int64, r *avro.PeriodRecord, at time.Time) error {
	day, err := money.ParseDay(r.Day)
	switch {
	case err != nil:
		return fmt.Errorf("%w: period of %s: %w", errBroken, r.Campaign, err)
	case r.Action != periodClose && r.Action != periodReopen || day == money.DayMax:
		return fmt.Errorf("%w: period of %s: action %q up to %s", errBroken, r.Campaign, r.Action, r.Day)
	}
	due, err := f.due()
	if err != nil {
		return err
	}
	if err := f.settle(ctx, due, nil); err != nil {
		return err
	}
	clear(f.dirty)
	f.order = nil
	if err := f.sweepSlice(ctx); err != nil {
		return err
	}
	closing := attribution.Closing{Close: r.Action == periodClose, Day: day, At: r.At}
	p := f.rules.periods[r.Campaign]
	p.closings, p.number = append(slices.Clip(p.closings), closing), number
	f.rules.periods[r.Campaign] = p
	if err := f.kv.Put(periodKey(r.Campaign, number), encodeClosing(closing)); err != nil {
		return err
	}
	f.cfg.Log.InfoContext(ctx, "period decided", "campaign", r.Campaign, "action", r.Action, "day", r.Day, "partition", f.source)
	if p.opened.Before(closing.At) {
		return nil
	}
	// A dispute that was opened later by its own time came first.
	return f.restate(ctx, periodRule+r.Campaign+"/"+strconv.FormatInt(number, 10), at)
}

// periodRule leads the cause_event of what a closing changes.
const periodRule = "period/"

// noteDispute keeps when the newest dispute of a campaign was opened.
func (f *fold) noteDispute(o *avro.ObjectState) error {
	fields := fieldsOf(o)
	campaign := fields["campaign"]
	at, err := time.Parse(time.RFC3339Nano, fields["opened_at"])
	p := f.rules.periods[campaign]
	if at = at.Truncate(time.Microsecond); err != nil || !p.opened.Before(at) {
		return nil // one without its time has no effect
	}
	p.opened = at
	f.rules.periods[campaign] = p
	return f.kv.Put(disputedKey(campaign), encodeNumber(at.UnixMicro()))
}

func (r *rules) readPeriod(campaign string, number int64, body []byte) error {
	closing, err := decodeClosing(body)
	if err != nil {
		return err
	}
	p := r.periods[campaign]
	p.closings, p.number = append(p.closings, closing), number
	r.periods[campaign] = p
	return nil
}

func (r *rules) readDisputed(campaign string, body []byte) error {
	at, err := decodeNumber(body)
	p := r.periods[campaign]
	p.opened = time.UnixMicro(at).UTC()
	r.periods[campaign] = p
	return err
}

func encodeClosing(c attribution.Closing) []byte {
	v := []byte{0}
	if c.Close {
		v[0] = 1
	}
	return spaceControl.Value(binary.AppendVarint(binary.AppendVarint(v, int64(c.Day)), c.At.UnixMicro()))
}

func decodeClosing(body []byte) (attribution.Closing, error) {
	r := reader{rest: body}
	flag, day, at := r.uvarint(), r.varint(), r.varint()
	if flag > 1 || day < int64(money.DayMin) || day > int64(money.DayMax) {
		r.fail("unknown closing")
	}
	return attribution.Closing{Close: flag == 1, Day: money.Day(day), At: time.UnixMicro(at).UTC()}, r.end()
}
