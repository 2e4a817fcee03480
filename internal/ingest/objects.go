package ingest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/dedupe"
	"tracksource/normalize"
	"tracksource/schemas/avro"
)

const (
	// stagesMax bounds the stage history of one object; the newest are kept, since
	// the last arrival at a stage is what conversions follow.
	stagesMax = 200
	// refundsMax bounds the refunds of one order, each of which is a field; the newest
	// are kept.
	refundsMax = 200
	// recentMax is how many updates of one object can still be said anew. Older
	// ones are folded for good.
	recentMax = 64
)

// object is a CRM object made of partial updates that may come in any order and
// more than once. Each field has the value of the update that is last in the
// source's own order, so that the whole is a function of the set of updates: the
// newest are kept as they came, those below them are folded.
type object struct {
	Type   string       `json:"type"`
	ID     string       `json:"id"`
	Recent []update     `json:"recent,omitempty"` // in their order
	Folded objectFolded `json:"folded"`
}

// update is one update of an object.
type update struct {
	Rank      rank            `json:"rank"`
	Revision  dedupe.Revision `json:"revision"`
	At        time.Time       `json:"at"`
	Deleted   bool            `json:"deleted,omitempty"`
	Fields    []avro.Field    `json:"fields,omitempty"`
	Retracted bool            `json:"retracted,omitempty"` // it says nothing any more
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

// objectFolded is the fold of updates.
type objectFolded struct {
	Fields   map[string]fieldFold `json:"fields,omitempty"`
	Stages   []stageUpdate        `json:"stages,omitempty"`
	Deleted  *fieldFold           `json:"deleted,omitempty"` // nil: nothing was folded
	Modified time.Time            `json:"modified"`
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

// fold takes in one update. One that is said anew takes the place of what it said
// before.
func (o *object) fold(obs *avro.Observation) {
	f := obs.Object
	o.Type, o.ID = f.Type, f.ID
	u := update{
		Rank: rank{Order: f.Order, SubOrder: f.SubOrder, Event: obs.EventID}, Revision: dedupe.Revision{Mapping: obs.MappingRevision, Source: obs.Revision},
		At: f.ModifiedAt, Deleted: f.Deleted, Fields: f.Fields, Retracted: obs.Retracted,
	}
	o.Recent = slices.DeleteFunc(o.Recent, func(old update) bool { return old.Rank.Event == u.Rank.Event })
	i, _ := slices.BinarySearchFunc(o.Recent, u, func(a, b update) int { return a.Rank.compare(b.Rank) })
	o.Recent = slices.Insert(o.Recent, i, u)
	for len(o.Recent) > recentMax {
		o.Folded.fold(&o.Recent[0])
		o.Folded.boundRefunds()
		o.Recent = o.Recent[1:]
	}
}

// fold takes in one update, in any order.
func (o *objectFolded) fold(u *update) {
	if u.Retracted {
		return
	}
	if o.Fields == nil {
		o.Fields = map[string]fieldFold{}
	}
	stage := stageUpdate{Rank: u.Rank, At: u.At}
	for _, fl := range u.Fields {
		if old, ok := o.Fields[fl.Name]; !ok || u.Rank.compare(old.Rank) > 0 {
			o.Fields[fl.Name] = fieldFold{Value: fl.Value, Rank: u.Rank}
		}
		switch fl.Name {
		case "stage":
			stage.Stage = fl.Value
		case "is_closed":
			stage.Closed = fl.Value
		case "is_won":
			stage.Won = fl.Value
		}
	}
	if stage.Stage != nil || stage.Closed != nil || stage.Won != nil {
		o.addStage(stage)
	}
	// An undelete is an update like any other that comes after the delete.
	deleted := fmt.Sprint(u.Deleted)
	if o.Deleted == nil || u.Rank.compare(o.Deleted.Rank) > 0 {
		o.Deleted = &fieldFold{Value: &deleted, Rank: u.Rank}
	}
	if u.At.After(o.Modified) {
		o.Modified = u.At
	}
}

// boundRefunds lets go of the oldest refunds beyond the bound.
func (o *objectFolded) boundRefunds() {
	if len(o.Fields) <= refundsMax {
		return
	}
	var refunds []string
	for name := range o.Fields {
		if strings.HasPrefix(name, normalize.RefundPrefix) {
			refunds = append(refunds, name)
		}
	}
	slices.SortFunc(refunds, func(a, b string) int {
		return cmp.Or(o.Fields[a].Rank.compare(o.Fields[b].Rank), strings.Compare(a, b))
	})
	for _, name := range refunds[:max(0, len(refunds)-refundsMax)] {
		delete(o.Fields, name)
	}
}

func (o *objectFolded) addStage(u stageUpdate) {
	i, found := slices.BinarySearchFunc(o.Stages, u, func(a, b stageUpdate) int { return a.Rank.compare(b.Rank) })
	if found {
		return
	}
	o.Stages = slices.Insert(o.Stages, i, u)
	if n := len(o.Stages) - stagesMax; n > 0 {
		o.Stages = o.Stages[n:]
	}
}

// state returns the whole object as journeys carry it, nil when every update was
// retracted.
func (o *object) state() *avro.ObjectState {
	all := o.Folded
	all.Fields, all.Stages = maps.Clone(all.Fields), slices.Clone(all.Stages)
	for i := range o.Recent {
		all.fold(&o.Recent[i])
	}
	all.boundRefunds()
	if all.Deleted == nil {
		return nil
	}
	out := &avro.ObjectState{Type: o.Type, ID: o.ID, ModifiedAt: all.Modified, Deleted: all.Deleted.Value != nil && *all.Deleted.Value == "true"}
	for _, name := range slices.Sorted(maps.Keys(all.Fields)) {
		out.Fields = append(out.Fields, avro.Field{Name: name, Value: all.Fields[name].Value})
	}
	var last avro.StageChange
	for i, u := range all.Stages {
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
