package follow

import (
	"bytes"
	"fmt"

	"tracksource/schemas/avro"
	"tracksource/state"
	"tracksource/stream"
)

// alertPlace makes alerts sort by when they were raised, the newest first.
func alertPlace(a *avro.Alert) state.Key {
	return state.Key{}.Uint64(^(uint64(a.RaisedAt.UnixMicro()) ^ 1<<63)).String(a.ID)
}

func (f *Follow) projectAlert(r *stream.Record, put func(key, value []byte)) error {
	newest := spaceAlertNewest.Key().Bytes(r.Key)
	if r.Value == nil {
		put(newest, nil)
		return nil
	}
	var a avro.Alert
	if err := f.cfg.Codecs.Alert.Decode(r.Value, &a); err != nil {
		return err
	}
	place := alertPlace(&a)
	put(append(spaceAlert.Key(), place...), spaceAlert.Value(r.Value))
	// The same alert raised again has another place: the older one is passed over.
	put(spaceAlertNewest.Key().String(a.ID), spaceAlertNewest.Value(place))
	return nil
}

// AlertPlace is a place between alerts, from which a reading of them goes on.
type AlertPlace []byte

// Alerts calls fn for each alert as it was last raised, the newest first, behind a
// place (nil: from the first), until it returns false.
func (f *Follow) Alerts(behind AlertPlace, fn func(a *avro.Alert, at AlertPlace) (bool, error)) error {
	from, to := spaceAlert.Key().Range()
	if behind != nil {
		from = append(append(spaceAlert.Key(), behind...), 0)
	}
	return f.alerts.scan(from, to, func(key, value []byte) (bool, error) {
		body, err := spaceAlert.Body(value)
		if err != nil {
			return false, err
		}
		var a avro.Alert
		if err := f.cfg.Codecs.Alert.Decode(body, &a); err != nil {
			return false, fmt.Errorf("alert in the table: %w", err)
		}
		place := key[1:]
		newest, err := f.alerts.get(spaceAlertNewest.Key().String(a.ID))
		if err != nil || newest == nil || !bytes.Equal(newest[1:], place) {
			return err == nil, err
		}
		return fn(&a, append(AlertPlace{}, place...))
	})
}
