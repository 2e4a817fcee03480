package follow

import (
	"tracksource/internal/control"
	"tracksource/money"
	"tracksource/schemas/avro"
)

// Rates returns the exchange rates that were decided. They are many and few questions
// need them, so that they are read when they are first asked for, and again when
// another was decided. They are not the caller's to change.
func (f *Follow) Rates() (*money.Rates, error) {
	d := &f.decisions
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.catchUp(); err != nil {
		return nil, err
	}
	if d.rates == nil {
		rates, err := f.readRates()
		if err != nil {
			return nil, err
		}
		d.rates = rates
	}
	return d.rates, nil
}

func (f *Follow) readRates() (*money.Rates, error) {
	rates := new(money.Rates)
	from, to := spaceDecision.Key().Range()
	err := f.book.scan(from, to, func(_, value []byte) (bool, error) {
		body, err := spaceDecision.Body(value)
		if err != nil {
			return false, err
		}
		var c avro.Control
		if f.cfg.Codecs.Control.Decode(body, &c) != nil || c.Kind != control.Rate || c.Rate == nil {
			return true, nil
		}
		if day, err := money.ParseDay(c.Rate.Day); err == nil {
			_ = rates.Set(c.Rate.Base, c.Rate.Quote, day, c.Rate.Rate) // what is no rate was refused by the service too
		}
		return true, nil
	})
	return rates, err
}
