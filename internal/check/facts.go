package check

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/schemas/avro"
)

// itemKey is an item of the identity that it was seen on.
type itemKey struct{ node, reporter, source, item string }

func (k itemKey) String() string {
	return fmt.Sprintf("%s/%s/%s of %s", k.reporter, k.source, k.item, nodeText([]byte(k.node)))
}

func nodeText(node []byte) string {
	n, err := identity.Parse(node)
	if err != nil {
		return fmt.Sprintf("%x", node)
	}
	return n.String()
}

// touch is an accepted touch.
type touch struct {
	key   itemKey
	feed  string
	at    time.Time
	facts *avro.TouchFacts
	// Whom it belongs to, an encoded identity; empty for nobody.
	person string
}

// update is one accepted update of an object.
type update struct {
	event string // unique within the object
	feed  string
	facts *avro.ObjectFacts
}

// account is all that belongs to one root.
type account struct {
	touches []touch
	objects []object
}

// object is a CRM object made of all its updates.
type object struct {
	key    itemKey
	feed   string
	state  avro.ObjectState
	person string // as of a touch
}

// mark is what makes an event one.
type mark struct{ node, reporter, source, event string }

// seen is what is believed of one event.
type seen struct {
	content         [16]byte
	mapping, source int64 // revision
}

// facts walks the observations in the order of each partition, as they were
// accepted: an event seen again is a duplicate, one with other content under the
// same id a fact of its own unless their revisions differ or are the source's, in
// which case the highest revision is believed, and one older than the horizon at its place is late.
func (v *verifier) facts() {
	marks := map[mark]*seen{}
	horizon := map[int32]string{}
	for i := range v.in.Observations {
		o := &v.in.Observations[i]
		obs := &o.Value.Observation
		switch obs.Kind {
		case "control":
			if c := obs.Control; c != nil && c.Horizon != nil {
				horizon[o.Partition] = max(horizon[o.Partition], c.Horizon.Day)
			}
		case "erase":
			v.erased[string(obs.Node)] = true
		case "link":
			v.evidence(obs)
		case "decision":
			v.report.Decisions++
			v.fact(obs, obs.EventID)
		case "fact":
			if day(obs.OccurredAt) < horizon[o.Partition] {
				v.report.Late++
				v.count(obs, Feed{Late: 1})
				continue
			}
			if v.erased[string(obs.Node)] {
				v.report.Suppressed++
				v.count(obs, Feed{Suppressed: 1})
				continue
			}
			v.accept(marks, mark{string(obs.Node), obs.Reporter, obs.Source, obs.EventID}, obs, o.Value.Content)
		}
	}
}

// accept decides what one fact is.
func (v *verifier) accept(marks map[mark]*seen, m mark, obs *avro.Observation, content [16]byte) {
	now := seen{content, obs.MappingRevision, obs.Revision}
	was := marks[m]
	if was != nil && was.content != content && was.mapping == now.mapping && was.source == 0 && now.source == 0 {
		// Read by the same rules, and restated by nobody: two events under one id.
		m.event = fmt.Sprintf("%s#%x", m.event, content[:6])
		if was = marks[m]; was == nil {
			v.report.Collisions++
		}
	}
	newer := was == nil || cmp.Or(cmp.Compare(now.mapping, was.mapping), cmp.Compare(now.source, was.source), bytes.Compare(content[:], was.content[:])) > 0
	if newer {
		marks[m] = &now
	}
	switch {
	case was != nil && was.content == content:
		v.report.Duplicates++
		v.count(obs, Feed{Duplicates: 1})
	case was != nil && !newer:
		v.report.Restated++
		v.count(obs, Feed{Restated: 1})
	default:
		if was == nil && !obs.Retracted {
			v.report.Accepted++
			v.count(obs, Feed{Accepted: 1})
		} else {
			v.report.Restated++
			v.count(obs, Feed{Restated: 1})
		}
		v.evidence(obs)
		v.fact(obs, m.event)
	}
}

// count adds to what became of a fact's feed.
func (v *verifier) count(obs *avro.Observation, more Feed) {
	if obs.Origin != nil { // else feeds says so
		v.tally(obs.Origin.Topic, more)
	}
}

func (v *verifier) tally(topic string, more Feed) {
	if v.report.Feeds == nil {
		v.report.Feeds = map[string]Feed{}
	}
	f := v.report.Feeds[topic]
	f.Records += more.Records
	f.Events += more.Events
	f.Accepted += more.Accepted
	f.Duplicates += more.Duplicates
	f.Restated += more.Restated
	f.Late += more.Late
	f.Suppressed += more.Suppressed
	f.Totals += more.Totals
	f.Disputes += more.Disputes
	f.DeadLetters += more.DeadLetters
	v.report.Feeds[topic] = f
}

// evidence keeps every link and every merge.
func (v *verifier) evidence(obs *avro.Observation) {
	for _, other := range obs.Same {
		v.report.Merges++
		a, b := string(obs.Node), string(other)
		v.same[a], v.same[b] = append(v.same[a], b), append(v.same[b], a)
	}
	for _, l := range obs.Links {
		parent, err := identity.Parse(l.Parent)
		if err != nil {
			v.problem("link of %s to something that is no identity: %v", nodeText(obs.Node), err)
			continue
		}
		v.links[string(obs.Node)] = append(v.links[string(obs.Node)], identity.Link{Parent: parent, Evidence: identity.Evidence(l.Evidence), At: l.At})
	}
}

// fact puts what an event says in the place of what it said before.
func (v *verifier) fact(obs *avro.Observation, event string) {
	key := itemKey{node: string(obs.Node), reporter: obs.Reporter, source: obs.Source, item: event}
	if obs.Object == nil {
		delete(v.touches, key)
		if obs.Touch != nil && !obs.Retracted {
			v.touches[key] = touch{key: key, feed: obs.Feed, at: obs.OccurredAt, facts: obs.Touch}
		}
		return
	}
	key.item = obs.Object.Type + "/" + obs.Object.ID
	list := slices.DeleteFunc(v.updates[key], func(u update) bool { return u.event == event })
	if !obs.Retracted {
		list = append(list, update{event, obs.Feed, obs.Object})
	}
	if v.updates[key] = list; len(list) == 0 {
		delete(v.updates, key)
	}
}

// codeLate is the code of a dead letter that resolve writes about a fact.
const codeLate = "too_late"

// feeds checks that every raw record became facts or a dead letter, that none of
// them was made twice, and that the counts sum.
func (v *verifier) feeds() {
	type made struct {
		at      Position
		event   string
		content [16]byte
	}
	became := map[Position]int{}
	once := map[made]bool{}
	for i := range v.in.Observations {
		o := &v.in.Observations[i].Value
		if o.Kind == "total" && o.Total != nil && o.Total.Step == "said" && o.Origin != nil {
			became[Position{o.Origin.Topic, o.Origin.Partition, o.Origin.Offset}]++
			v.tally(o.Origin.Topic, Feed{Totals: 1})
		}
		if o.Kind != "fact" {
			continue
		}
		if o.Origin == nil {
			v.problem("fact %s/%s/%s has no origin", o.Reporter, o.Source, o.EventID)
			continue
		}
		p := Position{o.Origin.Topic, o.Origin.Partition, o.Origin.Offset}
		became[p]++
		if m := (made{p, o.EventID, o.Content}); once[m] {
			v.problem("event %s/%s/%s of %s was observed twice", o.Reporter, o.Source, o.EventID, p)
		} else {
			once[m] = true
		}
	}
	v.disputed(became)
	late := 0
	for _, d := range v.in.DeadLetters {
		if d.Code == codeLate {
			late++
			continue
		}
		v.report.DeadLetters++
		v.tally(d.RawTopic, Feed{DeadLetters: 1})
		became[Position{d.RawTopic, d.RawPartition, d.RawOffset}]++
	}
	if late != v.report.Late {
		v.problem("%d facts are older than the horizon and %d dead letters say so", v.report.Late, late)
	}
	v.report.Raw = len(v.in.Raw)
	for _, p := range v.in.Raw {
		if became[p] == 0 {
			v.problem("raw record %s became neither a fact nor a dispute nor a dead letter", p)
		}
		v.tally(p.Topic, Feed{Records: 1, Events: max(1, became[p])}) // one record may hold several events
		delete(became, p)
	}
	for p := range became {
		v.problem("facts or dead letters speak of raw record %s, which is not there", p)
	}
	for _, topic := range slices.Sorted(maps.Keys(v.report.Feeds)) {
		if f := v.report.Feeds[topic]; f.Accepted+f.Duplicates+f.Restated+f.Late+f.Suppressed+f.DeadLetters+f.Totals+f.Disputes != f.Events {
			v.problem("%s: %d events, but %d accepted + %d duplicates + %d restated + %d late + %d suppressed + %d dead letters + %d control totals + %d disputes",
				topic, f.Events, f.Accepted, f.Duplicates, f.Restated, f.Late, f.Suppressed, f.DeadLetters, f.Totals, f.Disputes)
		}
	}
}

// disputed adds what became a step of a dispute on control, each record once and of the
// partner whose feed it is.
func (v *verifier) disputed(became map[Position]int) {
	for i := range v.in.Control {
		d := v.in.Control[i].Value.Dispute
		if d == nil || d.Origin == "" {
			continue
		}
		p := position(d.Origin)
		if became[p]++; became[p] > 1 {
			v.problem("dispute %s of %s was said twice", d.ID, p)
		}
		if !strings.HasSuffix(p.Topic, "."+d.Partner) {
			v.problem("dispute %s of %s was said in %s, which is another's feed", d.ID, d.Partner, p)
		}
		v.tally(p.Topic, Feed{Disputes: 1})
	}
}

// position reads what a position is written as; of another text it is the topic.
func position(text string) Position {
	topic, place, _ := strings.Cut(text, "/")
	var p Position
	if n, err := fmt.Sscanf(place, "%d@%d", &p.Partition, &p.Offset); n != 2 || err != nil {
		return Position{Topic: text}
	}
	p.Topic = topic
	return p
}

// root follows the best link of each node over all evidence. Nodes that are the
// same thing share their links, and the greatest of them speaks for all.
func (v *verifier) root(node string) string {
	return v.top(node, func(identity.Link) bool { return true })
}

// person follows the best links to people alone: whom a node belongs to. What is at or
// above a deal is nobody, and nor is who was erased.
func (v *verifier) person(node string) string {
	somebody := func(n identity.Node) bool { return n.Level < identity.Object }
	if n, err := identity.Parse([]byte(node)); err != nil || !somebody(n) {
		return ""
	}
	top := v.top(node, func(l identity.Link) bool { return somebody(l.Parent) })
	if v.erased[top] {
		return ""
	}
	return top
}

// top follows those links that may be followed.
func (v *verifier) top(node string, follow func(identity.Link) bool) string {
	for range identity.DepthMax + 1 {
		if v.erased[node] {
			return node
		}
		all := v.merged(node)
		node = slices.Max(all)
		var links []identity.Link
		for _, n := range all {
			for _, l := range v.links[n] {
				if follow(l) {
					links = append(links, l)
				}
			}
			if v.erased[n] {
				v.problem("%s was erased, and %s is the same and was not", nodeText([]byte(n)), nodeText([]byte(node)))
			}
		}
		child, err := identity.Parse([]byte(node))
		if err != nil {
			v.problem("observation of something that is no identity: %v", err)
			return node
		}
		best, ok := identity.Best(child, links)
		if !ok {
			return node
		}
		node = string(best.Parent.Bytes())
	}
	v.problem("the parents of %s have no end", nodeText([]byte(node)))
	return node
}

// merged lists all that are the same thing as a node, itself included.
func (v *verifier) merged(node string) []string {
	all := []string{node}
	for i := 0; i < len(all); i++ {
		for _, n := range v.same[all[i]] {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// place puts every item on its final account.
func (v *verifier) place() {
	on := func(node string) *account {
		root := v.root(node)
		if v.accounts[root] == nil {
			v.accounts[root] = &account{}
		}
		return v.accounts[root]
	}
	for key, t := range v.touches {
		if v.erased[key.node] {
			delete(v.touches, key)
			continue
		}
		a := on(key.node)
		t.person = v.person(key.node)
		a.touches = append(a.touches, t)
	}
	for key, updates := range v.updates {
		if v.erased[key.node] {
			delete(v.updates, key)
			continue
		}
		a := on(key.node)
		a.objects = append(a.objects, object{key: key, feed: updates[0].feed, state: whole(updates), person: v.person(key.node)})
	}
	v.report.Items, v.report.Accounts = len(v.touches)+len(v.updates), len(v.accounts)
}

// How many stage updates and refunds of one object count, the newest.
const (
	stagesKept  = 200
	refundsKept = 200
)

// whole folds the updates of one object in the source's order.
func whole(updates []update) avro.ObjectState {
	sorted := slices.Clone(updates)
	slices.SortFunc(sorted, func(a, b update) int {
		return cmp.Or(cmp.Compare(a.facts.Order, b.facts.Order), cmp.Compare(a.facts.SubOrder, b.facts.SubOrder), strings.Compare(a.event, b.event))
	})
	var state avro.ObjectState
	fields := map[string]*string{}
	var speaking []update
	refunds := map[string]int{} // the place of the update that said each last
	for place, u := range sorted {
		state.Type, state.ID, state.Deleted = u.facts.Type, u.facts.ID, u.facts.Deleted
		if u.facts.ModifiedAt.After(state.ModifiedAt) {
			state.ModifiedAt = u.facts.ModifiedAt
		}
		speaks := false
		for _, f := range u.facts.Fields {
			fields[f.Name] = f.Value
			if strings.HasPrefix(f.Name, "refund:") {
				refunds[f.Name] = place
			}
			speaks = speaks || f.Value != nil && (f.Name == "stage" || f.Name == "is_closed" || f.Name == "is_won")
		}
		if speaks {
			speaking = append(speaking, u)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(refunds), func(a, b string) int {
		return cmp.Or(cmp.Compare(refunds[b], refunds[a]), strings.Compare(b, a))
	})[min(len(refunds), refundsKept):] {
		delete(fields, name)
	}
	for name, value := range fields {
		state.Fields = append(state.Fields, avro.Field{Name: name, Value: value})
	}
	slices.SortFunc(state.Fields, func(a, b avro.Field) int { return strings.Compare(a.Name, b.Name) })
	state.Stages = stages(speaking[max(0, len(speaking)-stagesKept):])
	return state
}

// stages are the changes that the updates made; what an update does not say
// stays as it was.
func stages(updates []update) []avro.StageChange {
	var list []avro.StageChange
	var now avro.StageChange
	for i, u := range updates {
		was := now
		for _, f := range u.facts.Fields {
			switch {
			case f.Value == nil:
			case f.Name == "stage":
				now.Stage = *f.Value
			case f.Name == "is_closed":
				now.IsClosed = *f.Value == "true"
			case f.Name == "is_won":
				now.IsWon = *f.Value == "true"
			}
		}
		if i > 0 && now == was {
			continue
		}
		change := now
		change.At, change.EventID = u.facts.ModifiedAt, u.event
		list = append(list, change)
	}
	return list
}

// placed is what journeys say last of an item on one account.
type placed struct {
	placement int64
	ev        *avro.JourneyEvent
}

// placements returns what journeys say last of each item, by account. An item is
// on one account, or on none when it was taken back.
func (v *verifier) placements() map[itemKey]map[string]placed {
	newest := map[itemKey]map[string]placed{}
	used := map[itemKey]map[int64]bool{}
	for i := range v.in.Journeys {
		ev := &v.in.Journeys[i].Value
		if ev.Kind == "control" {
			continue
		}
		key := itemKey{string(ev.Node), ev.Reporter, ev.Source, ev.Item}
		if newest[key] == nil {
			newest[key], used[key] = map[string]placed{}, map[int64]bool{}
		}
		if used[key][ev.Placement] {
			v.problem("journeys: placement %d of %s was given twice", ev.Placement, key)
		}
		used[key][ev.Placement] = true
		if was, found := newest[key][string(ev.Account)]; !found || ev.Placement > was.placement {
			newest[key][string(ev.Account)] = placed{ev.Placement, ev}
		}
	}
	for key, accounts := range newest {
		var on []string
		for id, p := range accounts {
			if !p.ev.Removed {
				on = append(on, nodeText([]byte(id)))
			}
		}
		if len(on) > 1 {
			slices.Sort(on)
			v.problem("journeys: %s is on %d accounts: %v", key, len(on), on)
		}
	}
	return newest
}

// held takes the accounts as journeys hold them.
func (v *verifier) held() {
	for key, accounts := range v.placements() {
		for root, p := range accounts {
			if p.ev.Removed {
				continue
			}
			v.report.Items++
			a := v.accounts[root]
			if a == nil {
				a = &account{}
				v.accounts[root] = a
			}
			switch {
			case p.ev.Touch != nil:
				a.touches = append(a.touches, touch{key: key, feed: p.ev.Feed, at: p.ev.OccurredAt, facts: p.ev.Touch, person: string(p.ev.Person)})
			case p.ev.Object != nil:
				a.objects = append(a.objects, object{key: key, feed: p.ev.Feed, state: *p.ev.Object, person: string(p.ev.Person)})
			default:
				v.problem("journeys: %s is neither a touch nor an object", key)
			}
		}
	}
	v.report.Accounts = len(v.accounts)
}

// journeys checks that the topic says of every item what follows from the facts,
// on exactly one account.
func (v *verifier) journeys() {
	newest := v.placements()
	check := func(key itemKey, root, person, want string) {
		p, found := newest[key][root]
		delete(newest, key)
		switch {
		case !found:
			v.problem("journeys: %s is not on its account %s", key, nodeText([]byte(root)))
		case p.ev.Removed:
			v.problem("journeys: %s was removed from its account %s", key, nodeText([]byte(root)))
		case string(p.ev.Person) != person:
			v.problem("journeys: %s belongs to %q, and by the facts to %q", key, nodeText(p.ev.Person), nodeText([]byte(person)))
		case itemText(p.ev.OccurredAt, p.ev.Touch, p.ev.Object) != want:
			v.problem("journeys: %s\n    says  %s\n    facts %s", key, itemText(p.ev.OccurredAt, p.ev.Touch, p.ev.Object), want)
		}
	}
	for root, a := range v.accounts {
		for _, t := range a.touches {
			check(t.key, root, t.person, itemText(t.at, t.facts, nil))
		}
		for _, o := range a.objects {
			check(o.key, root, o.person, itemText(time.Time{}, nil, &o.state))
		}
	}
	for key, accounts := range newest {
		for _, p := range accounts {
			if !p.ev.Removed {
				v.problem("journeys: %s follows from no accepted fact", key)
			}
		}
	}
}

// itemText is all of an item that a book can see.
func itemText(at time.Time, t *avro.TouchFacts, o *avro.ObjectState) string {
	var b strings.Builder
	if t != nil {
		fmt.Fprintf(&b, "%s %+v", at.UTC().Format(time.RFC3339Nano), *t)
	}
	if o != nil {
		fmt.Fprintf(&b, "%s/%s deleted=%t %s", o.Type, o.ID, o.Deleted, o.ModifiedAt.UTC().Format(time.RFC3339Nano))
		for _, f := range o.Fields {
			if f.Value == nil {
				fmt.Fprintf(&b, " %s=(cleared)", f.Name)
			} else {
				fmt.Fprintf(&b, " %s=%q", f.Name, *f.Value)
			}
		}
		for _, s := range o.Stages {
			fmt.Fprintf(&b, " [%q %t %t %s %s]", s.Stage, s.IsClosed, s.IsWon, s.At.UTC().Format(time.RFC3339Nano), s.EventID)
		}
	}
	return b.String()
}
