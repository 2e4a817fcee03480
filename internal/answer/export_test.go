package answer

import "time"

// Patient has the brokers waited for as long: a busy machine's are not away.
func (b *Broker) Patient(wait time.Duration) *Broker {
	b.wait = wait
	return b
}
