package ingest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tracksource/schemas/avro"
)

// stagesMax bounds the stage history of one object; the newest are kept, since
// the last arrival at a stage is what conversions follow.
const stagesMax = 200

// object is a CRM object folded from partial updates that may come in any
// order and more than once. Each field keeps the update that is last in the
// source's own order, so that the fold is a function of the set of updates.
type object struct {
	Type     string               `json:"type"`
	ID       string               `json:"id"`
	Fields   map[string]fieldFold `json:"fields"`
	Stages   []stageUpdate        `json:"stages"`
	Deleted  *fieldFold           `json:"deleted,omitempty"`
	Modified time.Time            `json:"modified"`
}

// rank is the source's total order of updates; the event id decides between
// updates that the source does not order.
type rank struct {
	Order    int64  `json:"order"`
	SubOrder int64  `json:"sub_order"`
	Event    string `json:"event"`
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.Order, o.Order), cmp.Compare(r.SubOrder, o.SubOrder), cmp.Compare(r.Event, o.Event))
}

// fieldFold is the last value of a field, nil when the source cleared it.
type fieldFold struct {
	Value *string `json:"value"`
	Rank  rank    `json:"rank"`
}

// stageUpdate is one update that said something about the stage; what it did
// not say is carried over from the one before it.
type stageUpdate struct {
	Rank   rank      `json:"rank"`
	At     time.Time `json:"at"`
	Stage  *string   `json:"stage,omitempty"`
	Closed *string   `json:"closed,omitempty"`
	Won    *string   `json:"won,omitempty"`
}

func decodeObject(b []byte) (*object, error) {
	body, err := spaceObject.Body(b)
	if err != nil {
		return nil, err
	}
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	return &o, nil
}

func (o *object) encode() ([]byte, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode object: %w", err)
	}
	return spaceObject.Value(b), nil
}

// fold takes in one update.
func (o *object) fold(obs *avro.Observation) {
	f := obs.Object
	o.Type, o.ID = f.Type, f.ID
	at := rank{Order: f.Order, SubOrder: f.SubOrder, Event: obs.EventID}
	if o.Fields == nil {
		o.Fields = map[string]fieldFold{}
	}
	update := stageUpdate{Rank: at, At: f.ModifiedAt}
	for _, fl := range f.Fields {
		if old, ok := o.Fields[fl.Name]; !ok || at.compare(old.Rank) > 0 {
			o.Fields[fl.Name] = fieldFold{Value: fl.Value, Rank: at}
		}
		switch fl.Name {
		case "stage":
			update.Stage = fl.Value
		case "is_closed":
			update.Closed = fl.Value
		case "is_won":
			update.Won = fl.Value
		}
	}
	if update.Stage != nil || update.Closed != nil || update.Won != nil {
		o.addStage(update)
	}
	// An undelete is an update like any other that comes after the delete.
	deleted := fmt.Sprint(f.Deleted)
	if o.Deleted == nil || at.compare(o.Deleted.Rank) > 0 {
		o.Deleted = &fieldFold{Value: &deleted, Rank: at}
	}
	if f.ModifiedAt.After(o.Modified) {
		o.Modified = f.ModifiedAt
	}
}

func (o *object) addStage(u stageUpdate) {
	i, found := slices.BinarySearchFunc(o.Stages, u, func(a, b stageUpdate) int { return a.Rank.compare(b.Rank) })
	if found {
		return
	}
	o.Stages = slices.Insert(o.Stages, i, u)
	if n := len(o.Stages) - stagesMax; n > 0 {
		o.Stages = o.Stages[n:]
	}
}

// state returns the whole object as journeys carry it.
func (o *object) state() *avro.ObjectState {
	out := &avro.ObjectState{Type: o.Type, ID: o.ID, ModifiedAt: o.Modified, Deleted: o.Deleted != nil && o.Deleted.Value != nil && *o.Deleted.Value == "true"}
	for _, name := range slices.Sorted(maps.Keys(o.Fields)) {
		out.Fields = append(out.Fields, avro.Field{Name: name, Value: o.Fields[name].Value})
	}
	var last avro.StageChange
	for i, u := range o.Stages {
		next := last
		next.At, next.EventID = u.At, u.Rank.Event
		if u.Stage != nil {
			next.Stage = *u.Stage
		}
		if u.Closed != nil {
			next.IsClosed = *u.Closed == "true"
		}
		if u.Won != nil {
			next.IsWon = *u.Won == "true"
		}
		if i == 0 || next.Stage != last.Stage || next.IsClosed != last.IsClosed || next.IsWon != last.IsWon {
			out.Stages = append(out.Stages, next)
			last = next
		}
	}
	return out
}
