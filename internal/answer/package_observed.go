package answer

import (
	"cmp"

	"tracksource/contract"
	"tracksource/report"
)

// observe notes how the feeds stand: all of the signatories' for the operator, its own
// for a partner.
func (p *packaging) observe() error {
	behind := p.Answers.Behind()
	out := report.Observed{BehindSeconds: behind.Seconds, BehindWhy: behind.Why, Feeds: []report.FeedQA{}}
	feeds, err := p.feedsOf(p.ctx)
	if err != nil {
		if p.ctx.Err() != nil {
			return err
		}
		out.BehindWhy = cmp.Or(out.BehindWhy, "the brokers cannot be asked")
	}
	const secondsPerHour = 60 * 60
	limit := p.campaign.Contract.Guardrail(contract.GuardFreshness).Limit * secondsPerHour
	totals, err := p.controlTotals(p.ctx, p.today)
	if err != nil {
		return err
	}
	counts, err := p.follow.FeedCounts() // none of a past: they are of now
	if err != nil {
		return err
	}
	for _, f := range feeds {
		if !p.viewer.Operator && f.Partner != p.viewer.Partner {
			continue
		}
		one := report.FeedQA{
			Feed: f.Kind, Partner: f.Partner, Topic: f.Topic, Records: f.Records, Offsets: append([]int64{}, f.Ends...), AgeSeconds: -1, LimitSeconds: limit,
			DeadLetters: f.Dead,
		}
		if !f.Newest.IsZero() {
			one.Newest = ref(f.Newest.UTC())
			one.AgeSeconds = int64(max(p.cfg.Clock().Sub(f.Newest), 0).Seconds())
			one.Fresh = one.AgeSeconds <= limit
		}
		complete := totals[f.String()].completeness()
		one.Completeness, one.Complete = or(complete.Share), complete.State != "short"
		if c, told := counts[f.Feed]; told {
			one.Counts = &c
		}
		out.Feeds = append(out.Feeds, one)
	}
	p.p.Observe(out)
	return nil
}
