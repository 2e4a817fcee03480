package sim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tracksource/identity"
	"tracksource/internal/control"
	"tracksource/internal/line"
	"tracksource/normalize"
	"tracksource/normalize/mapping"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// inputs are ways to disturb what is sent.
func inputs() map[string]func(*story) {
	return map[string]func(*story){
		"repeated": func(s *story) { s.repeat(12, 1, false) },
		// Each event up to five times, far apart, across the partitions of its topic.
		"repeated-apart": func(s *story) { s.repeat(1, 4, true) },
		"shuffled":       func(s *story) { s.rng.Shuffle(len(s.events), s.swap) },
		"reversed":       func(s *story) { slices.Reverse(s.events) },
		"poison":         (*story).poison,
		"restated":       (*story).restate,
		"merges":         (*story).merge,
		"deals":          (*story).deals,
		"mapped":         (*story).mapped,
		"erased":         (*story).erased,
		"revised":        func(s *story) { s.revised = append(s.revised, taxonomy()...) },
		"met":            (*story).met,
		"disputed":       (*story).disputed,
		"closed":         (*story).closed,
		// First of all what is edited, so that whatever follows needs approval.
		"approved": func(s *story) { s.revised = slices.Insert(s.revised, 0, asks) },
		"crowded":  (*story).crowded,
	}
}

func (s *story) swap(i, j int) { s.events[i], s.events[j] = s.events[j], s.events[i] }

// repeat sends one of in events again, up to most times.
func (s *story) repeat(in, most int, apart bool) {
	var again []stream.Message
	for _, m := range s.events {
		if s.rng.IntN(in) > 0 {
			continue
		}
		for range 1 + s.rng.IntN(most) {
			if apart {
				m.Key = fmt.Append(nil, s.rng.Uint64())
			}
			again = append(again, m)
		}
	}
	for _, m := range again {
		at := len(s.events)
		if !apart {
			at = s.rng.IntN(len(s.events))
		}
		s.events = slices.Insert(s.events, at, m)
	}
}

// poison puts records in that nobody can use: each must become a dead letter
// and hold nothing up.
func (s *story) poison() {
	topics := s.spec.RawTopics()
	bad := [][]byte{
		[]byte("{"),
		{0},
		{0, 0, 0, 0, 0},
		{0, 0, 15, 66, 63, 1, 2, 3},
		{0, 0xff, 0xff, 0xff, 0xff, 2},
		[]byte("null"), []byte("[]"),
		{0xff, 0xfe, 0xfd},
		[]byte(`{"id":"` + strings.Repeat("x", 900_000) + `"}`),
	}
	for i, payload := range bad {
		m := stream.Message{Topic: topics[s.rng.IntN(len(topics))], Key: fmt.Append(nil, "poison-", i), Value: payload}
		s.events = slices.Insert(s.events, s.rng.IntN(len(s.events)), m)
	}
	s.refused += len(bad)
}

// restate says rows of GA4 anew, as its export does for days: with the traffic
// source of the other partner, or without one.
func (s *story) restate() {
	for _, m := range slices.Clone(s.events) {
		var row map[string]any
		if json.Unmarshal(m.Value, &row) != nil || row["event_name"] == nil || s.rng.IntN(4) > 0 {
			continue
		}
		source := "globex"
		if was, ok := row["collected_traffic_source"].(map[string]any); ok && was["manual_source"] == source {
			source = "acme"
		}
		row["collected_traffic_source"] = map[string]any{"manual_source": source, "manual_medium": "email", "manual_campaign_name": "ai-launch-tour"}
		if s.rng.IntN(4) == 0 {
			delete(row, "collected_traffic_source")
		}
		m.Value = s.encode(row)
		s.events = slices.Insert(s.events, s.rng.IntN(len(s.events)), m)
	}
}

// said are the objects of change events and the users that the events name, by topic.
func (s *story) said() (objects map[string]map[string][]string, users map[string][]string) {
	objects, users = map[string]map[string][]string{}, map[string][]string{}
	for _, m := range s.events {
		var e struct {
			Payload struct {
				ChangeEventHeader struct {
					EntityName string   `json:"entityName"`
					RecordIDs  []string `json:"recordIds"`
				}
			} `json:"payload"`
			Type, UserID string
		}
		if json.Unmarshal(m.Value, &e) != nil {
			continue
		}
		if h := e.Payload.ChangeEventHeader; h.EntityName != "" {
			if objects[h.EntityName] == nil {
				objects[h.EntityName] = map[string][]string{}
			}
			objects[h.EntityName][m.Topic] = append(objects[h.EntityName][m.Topic], h.RecordIDs...)
		}
		if e.Type == "identify" && e.UserID != "" {
			users[m.Topic] = append(users[m.Topic], e.UserID)
		}
	}
	return objects, users
}

// change is a change event of an object of a CRM.
func (s *story) change(entity, id, kind, key string, fields map[string]any) map[string]any {
	event := map[string]any{"ChangeEventHeader": map[string]any{
		"entityName": entity, "recordIds": []string{id}, "changeType": kind, "transactionKey": key,
		"sequenceNumber": 1, "commitNumber": 1 << 40, "commitTimestamp": s.mergedAt(),
	}}
	maps.Copy(event, fields)
	return event
}

// merge joins accounts and contacts of each CRM in chains and rings, in both orders,
// and says that users are one. What belongs to them must follow.
func (s *story) merge() {
	objects, users := s.said()
	for _, entity := range []string{"Account", "Contact"} {
		for _, topic := range slices.Sorted(maps.Keys(objects[entity])) {
			s.mergePairs(objects[entity][topic], func(n int, from, to string) {
				s.say(topic, from, s.change(entity, from, "DELETE", fmt.Sprint("merge-", n), map[string]any{"MasterRecordId": to}))
			})
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(users)) {
		s.mergePairs(users[topic], func(n int, from, to string) {
			s.say(topic, from, map[string]any{
				"type": "alias", "messageId": fmt.Sprint("merge-", n), "previousId": from, "userId": to,
				"timestamp": time.UnixMilli(s.mergedAt()).UTC().Format(time.RFC3339),
			})
		})
	}
}

// deals says which contacts take part in which deals and who registered these, and
// decides that some of them are one business with deals elsewhere.
func (s *story) deals() {
	s.together()
	objects, _ := s.said()
	topic := s.spec.RawTopic("crm", "acme")
	deals, contacts := objects["Opportunity"][topic], objects["Contact"][topic]
	for _, ids := range []*[]string{&deals, &contacts} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	for n, deal := range deals {
		if len(contacts) > 0 {
			contact := contacts[s.rng.IntN(len(contacts))]
			s.say(topic, deal, s.change("OpportunityContactRole", fmt.Sprintf("00KA%011dAAA", n), "CREATE", fmt.Sprint("role-", n), map[string]any{
				"OpportunityId": deal, "ContactId": contact, "Role": "Decision Maker",
			}))
			s.done["roles"]++
		}
		s.say(topic, deal, s.change("Deal_Registration__c", fmt.Sprintf("a0RA%011dAAA", n), "CREATE", fmt.Sprint("registration-", n), map[string]any{
			"Opportunity__c": deal, "Partner__c": "globex", "Status__c": "Approved", "Expiration_Date__c": "2027-01-01",
		}))
		for i, decision := range []string{control.OverlapSame, control.OverlapDifferent}[:1+n%2] {
			s.closing = append(s.closing, avro.Control{Kind: control.Overlap, Overlap: &avro.OverlapRecord{
				Campaign: "ai-launch-tour", Deal: avro.DealName{Reporter: "acme", Source: "salesforce", ID: deal}, Other: avro.DealName{Reporter: "globex", Source: "hubspot", ID: fmt.Sprint(n)},
				Decision: decision, By: "ann", Why: "one order form", At: s.world.Start.Add(time.Duration(i) * time.Hour),
			}})
		}
	}
}

// mergePairs draws some of ids and merges each of them with the one before.
func (s *story) mergePairs(ids []string, say func(n int, from, to string)) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	s.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	ids = ids[:min(len(ids), 2+s.rng.IntN(6))]
	for n := 1; n < len(ids); n++ {
		from, to := ids[n], ids[n-1]
		if s.rng.IntN(2) == 0 {
			from, to = to, from
		}
		say(n, from, to)
	}
}

// mergedAt is a time in the middle of the sample, in milliseconds.
func (s *story) mergedAt() int64 {
	at := s.world.Events[len(s.world.Events)/2].At
	return at.UnixMilli()
}

// say adds an event somewhere.
func (s *story) say(topic, key string, event map[string]any) {
	m := stream.Message{Topic: topic, Key: []byte(key), Value: s.encode(event)}
	s.events = slices.Insert(s.events, s.rng.IntN(len(s.events)), m)
	s.added++
}

func (s *story) encode(event map[string]any) []byte {
	b, err := json.Marshal(event)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// ownMapping reads events of a schema of their own; the partner first took the
// wrong member for the user.
func ownMapping(user string) string {
	return `mapping: {partner: acme, feed: analytics, source: own}
rules:
  - name: form
    when: {path: kind, equals: form}
    id: id
    time: at
    identities: {user: ` + user + `}
    touch: {type: {const: form}, utm_source: {const: globex}, utm_campaign: {const: ai-launch-tour}}
`
}

// mapped adds events that nobody can read until their feed has a mapping. The
// first is wrong, the second right; behind each the feed is read again.
func (s *story) mapped() {
	topic := s.spec.RawTopic("analytics", "acme")
	for i := range 40 {
		event := map[string]any{
			"kind": "form", "id": fmt.Sprint(i), "at": time.UnixMilli(s.mergedAt()).UTC().Format(time.RFC3339),
			"right": fmt.Sprint("right-", i%7), "wrong": fmt.Sprint("wrong-", i%3),
		}
		m := stream.Message{Topic: topic, Key: []byte(fmt.Sprint(i)), Value: s.encode(event)}
		s.own = append(s.own, m.Value)
		s.events = slices.Insert(s.events, s.rng.IntN(len(s.events)), m)
	}
	for i, user := range []string{"wrong", "right"} {
		s.decide(control.Remap("acme", "analytics", []byte(ownMapping(user)), int64(i), s.world.Start))
	}
}

// decide puts a record among the rules, behind those that were decided before.
func (s *story) decide(c avro.Control) {
	s.decided = append(s.decided, c)
}

// readAgain sends the mapped feed what it holds again. The broker may be failing
// meanwhile; what was sent in part is sent once more.
func (s *story) readAgain() {
	for s.ctx.Err() == nil {
		n, err := control.ReplayRaw(s.ctx, s.conn, s.spec.RawTopic("analytics", "acme"), false, s.log, nil)
		if err == nil {
			s.done["read again"] += n
			return
		}
		s.log.Info("the feed is not read again yet", "err", err)
	}
}

// judgeMapped compares what journeys hold of the mapped events with what the right
// mapping makes of them: on whom they are, each of them once, and nothing else.
func (s *story) judgeMapped() {
	s.t.Helper()
	m, err := mapping.Parse([]byte(ownMapping("right")))
	if err != nil {
		s.t.Fatal(err)
	}
	src := normalize.Source{Feed: "analytics", Reporter: "acme", Pseudonyms: pseudonyms(s.t)}
	want := map[string]bool{}
	for _, payload := range s.own {
		for _, e := range m.Decode(src, payload) {
			want[fmt.Sprint(e.Observations[0].Node, " ", e.Observations[0].EventID)] = true
		}
	}
	type item struct{ node, id string }
	newest := map[item]avro.JourneyEvent{}
	err = stream.ReadTopic(s.ctx, line.StreamConn(s.conn), s.log, s.spec.Journeys(), func(r stream.Record) error {
		var ev avro.JourneyEvent
		if err := s.codecs.Journey.Decode(r.Value, &ev); err != nil || ev.Source != "own" {
			return err
		}
		n, err := identity.Parse(ev.Node)
		if was, ok := newest[item{n.String(), ev.Item}]; !ok || ev.Placement >= was.Placement && (!ev.Removed || ev.Placement > was.Placement) {
			newest[item{n.String(), ev.Item}] = ev
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for it, ev := range newest {
		if name := it.node + " " + it.id; ev.Removed == want[name] {
			s.t.Errorf("%s: removed %t, and the right mapping says it %t", name, ev.Removed, want[name])
		}
		delete(want, it.node+" "+it.id)
	}
	if len(want) > 0 {
		s.t.Errorf("%d mapped events are on no journey, such as %v", len(want), slices.Sorted(maps.Keys(want))[0])
	}
}

// erased orders some people to be forgotten, while what they do comes in.
func (s *story) erased() {
	p := pseudonyms(s.t)
	var nodes [][]byte
	for _, m := range s.events {
		var e struct {
			Type   string `json:"type"`
			UserID string `json:"userId"`
			Anon   string `json:"anonymousId"`
			Traits struct {
				Email string `json:"email"`
			} `json:"traits"`
		}
		if json.Unmarshal(m.Value, &e) != nil || e.Type != "identify" || s.rng.IntN(3) > 0 || len(nodes) > 8 {
			continue
		}
		user, err := p.PersonNode(identity.Person, identity.SchemeUser, "globex", e.UserID)
		if err != nil {
			s.t.Fatal(err)
		}
		browser, err := p.PersonNode(identity.Anonymous, identity.SchemeAnonymous, "globex", e.Anon)
		if err != nil {
			s.t.Fatal(err)
		}
		nodes = append(nodes, user.Bytes(), browser.Bytes())
		if email, ok := p.EmailNode(e.Traits.Email); ok {
			nodes = append(nodes, email.Bytes())
		}
	}
	if len(nodes) == 0 {
		return
	}
	s.done["erased"] = len(nodes)
	s.decide(avro.Control{Kind: control.Erasure, Erasure: &avro.ErasureRecord{Nodes: nodes, At: s.world.Start}})
}
