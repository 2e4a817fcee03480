package ingest_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tracksource/identity"
	"tracksource/internal/ingest"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestPersonOfEvents: from native events alone, in any order, a visit of a browser
// belongs to the contact who has a role on the deal: by the address that both are known
// by, behind a merge of that contact, and with the registration of the deal beside them
// on one account.
func TestPersonOfEvents(t *testing.T) {
	crm, web := newFeed(t, avro.NewMemory()), newFeed(t, avro.NewMemory())
	crm.ID = ingest.FeedID{Feed: "crm", Reporter: "acme"}
	// Of two that are one the greater speaks for both: the role names the other one.
	ids, contact := map[string]string{}, ""
	for _, id := range []string{"003000000000001AAA", "003000000000002AAA"} {
		n, err := crm.Pseudonymizer.PersonNode(identity.Contact, identity.SchemeContact, "acme", id)
		if err != nil {
			t.Fatal(err)
		}
		ids[n.String()], contact = id, max(contact, n.String())
	}
	texts := slices.Sorted(maps.Keys(ids))
	names := strings.NewReplacer("LOSER", ids[texts[0]], "SURVIVOR", ids[texts[1]])
	const stamp = `"SystemModstamp":"2026-03-01T12:00:00Z"}`
	type event struct {
		feed  *ingest.Feed
		value string
	}
	events := []event{
		{crm, `{"attributes":{"type":"Account"},"Id":"001000000000001AAA","Website":"large.com",` + stamp},
		{crm, `{"attributes":{"type":"Contact"},"Id":"LOSER","AccountId":"001000000000001AAA","Email":"ann@large.com",` + stamp},
		{crm, `{"attributes":{"type":"Contact"},"Id":"LOSER","IsDeleted":true,"MasterRecordId":"SURVIVOR",` + strings.Replace(stamp, "12:00", "13:00", 1)},
		{crm, `{"attributes":{"type":"Opportunity"},"Id":"006000000000001AAA","AccountId":"001000000000001AAA","StageName":"Open",` + stamp},
		{crm, `{"attributes":{"type":"OpportunityContactRole"},"Id":"00K000000000001AAA","OpportunityId":"006000000000001AAA","ContactId":"LOSER",` + stamp},
		{crm, `{"attributes":{"type":"DealRegistration"},"Id":"a0R000000000001AAA","OpportunityId":"006000000000001AAA","Partner":"globex","Status":"Approved",` + stamp},
		{web, `{"type":"page","messageId":"visit","anonymousId":"v","timestamp":"2026-03-01T12:00:00Z","context":{"campaign":{"source":"globex"}},"properties":{"url":"https://acme.com/x"}}`},
		{web, `{"type":"identify","messageId":"login","anonymousId":"v","userId":"u","timestamp":"2026-03-01T12:00:00Z","traits":{"email":"ann@large.com"}}`},
	}
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, crm.Codecs)
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choose") }
		for _, e := range rapid.Permutation(events).Draw(t, "order") {
			if err := e.feed.Fold(context.Background(), []stream.Record{{Value: []byte(names.Replace(e.value)), Timestamp: start}}, l); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "work now") {
				l.work(choose)
			}
		}
		l.work(choose)
		var got []string
		for _, line := range l.placed() {
			if !strings.HasPrefix(line, "large.com: ") {
				t.Fatalf("%s, want all on the account of large.com", line)
			}
		}
		for _, line := range l.owned() {
			item, person, _ := strings.Cut(line, " of ")
			kind, _, _ := strings.Cut(item, "/")
			if person == contact {
				got = append(got, kind)
			}
		}
		if want := []string{"contact", "contact_role", "visit"}; !slices.Equal(got, want) || len(l.dead) > 0 {
			t.Fatalf("of the contact are %q, want %q\n%s\n%v", got, want, strings.Join(l.owned(), "\n"), l.dead)
		}
	})
}
