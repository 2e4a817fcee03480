package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/deploy/kafka"
	"tracksource/internal/demo"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestOverlap: a suspicion is open until somebody decides; what is decided is on the
// account of the deal, can be decided anew, and is kept with who, when and why.
func TestOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.settle() // the demo sends revision 1
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{Feeds: demo.Feeds()})
	if err != nil {
		t.Fatal(err)
	}
	registry, err := avro.NewHTTP(avro.HTTPConfig{URL: w.registry})
	if err != nil {
		t.Fatal(err)
	}
	codecs, err := avro.OpenCodecs(t.Context(), registry, avro.Subjects(spec.Prefix()))
	if err != nil {
		t.Fatal(err)
	}
	const deal, other = "acme/salesforce/006000000000001AAA", "globex/hubspot/4711"
	alert := avro.Alert{
		ID: "overlap/1", Kind: attribution.AlertOverlapSuspected, Severity: "warning", Campaign: "ai-launch-tour", Subject: "acme/salesforce/opportunity/006000000000001AAA",
		Evidence: []string{"acme/salesforce/opportunity/006000000000001AAA", "globex/hubspot/opportunity/4711"}, RaisedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	elsewhere := alert
	elsewhere.ID, elsewhere.Campaign = "overlap/2", "another"
	p, err := stream.NewProducer(line.StreamConn(w.conn), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// The subject may be the deal that is excluded, and an alert may say too little.
	turned, short := alert, alert
	turned.ID, turned.Subject = "overlap/3", "globex/hubspot/opportunity/4712"
	turned.Evidence = []string{"acme/salesforce/opportunity/006000000000001AAA", turned.Subject}
	short.ID, short.Evidence = "overlap/4", nil
	// Nothing is suspected any more that was settled.
	past := turned
	past.ID, past.Evidence = "overlap/5", []string{"acme/salesforce/opportunity/006000000000001AAA", "globex/hubspot/opportunity/4713"}
	past.Subject = past.Evidence[1]
	settled := past
	settled.State = "settled"
	for _, a := range []avro.Alert{alert, elsewhere, turned, short, past, settled} {
		b, err := codecs.Alert.Append(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), stream.Message{Topic: spec.Alerts(), Key: []byte(a.ID), Value: b}); err != nil {
			t.Fatal(err)
		}
	}
	list := w.flags("overlap", "list", "--campaign", "ai-launch-tour")
	const header = "status,deal,other,suspected_at,decided_at,by,why\n"
	if got, want := w.tool(exitOK, list...), header+"open,"+deal+","+other+",2026-03-01T12:00:00Z,,,\n"+"open,"+deal+",globex/hubspot/4712,2026-03-01T12:00:00Z,,,\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	resolve := func(as, by, why string) []string {
		return w.flags("overlap", "resolve", "--campaign", "ai-launch-tour", "--deal", deal, "--other", other, "--as", as, "--by", by, "--why", why)
	}
	w.says(exitUsage, "--campaign is required", w.flags("overlap", "list")...)
	w.says(exitFail, "campaign tour has no contract", w.flags("overlap", "list", "--campaign", "tour")...)
	w.says(exitUsage, "--why is required", resolve("same", "ann", "")...)
	w.says(exitUsage, `--as "both"`, resolve("both", "ann", "x")...)
	w.says(exitUsage, "--deal: ", append(resolve("same", "ann", "x"), "--deal", "acme")...)
	w.says(exitFail, "no contract", append(resolve("same", "ann", "x"), "--campaign", "tour")...)
	w.says(exitFail, "of one CRM", append(resolve("same", "ann", "x"), "--other", "acme/salesforce/1")...)
	w.says(exitFail, "name it by --deal", append(resolve("same", "ann", "x"), "--deal", other, "--other", deal)...)
	w.says(exitOK, "are same; nothing was sent", append(resolve("same", "ann", "one form"), "--dry-run")...)
	w.says(exitOK, "are same; sent", resolve("same", "ann", "one form")...)
	w.says(exitOK, "are same, as ann decided on ", resolve("same", "bob", "me too")...)
	w.says(exitOK, "are different; sent", resolve("different", "bob", "two sites")...)
	w.settle()
	w.says(exitOK, "agree", w.flags("fsck")...)
	if got := w.tool(exitOK, list...); !strings.HasPrefix(got, header+"different,"+deal+","+other+",2026-03-01T12:00:00Z,20") || !strings.Contains(got, ",bob,two sites\nopen,") {
		t.Errorf("got\n%s", got)
	}
	if got := strings.Split(w.tool(exitOK, append(list, "--history")...), "\n"); len(got) != 4 || !strings.HasSuffix(got[1], ",same,"+deal+","+other+",ann,one form") {
		t.Errorf("got %q", got)
	}
	var decided []string
	err = stream.ReadTopic(context.Background(), line.StreamConn(w.conn), slog.New(slog.DiscardHandler), spec.Journeys(), func(r stream.Record) error {
		var ev avro.JourneyEvent
		if err := codecs.Journey.Decode(r.Value, &ev); err != nil {
			return err
		}
		if o := ev.Object; o != nil && o.Type == contract.ObjectDecision {
			i := slices.IndexFunc(o.Fields, func(f avro.Field) bool { return f.Name == "decision" })
			decided = append(decided, ev.Reporter+"/"+ev.Source+" "+o.ID+" "+*o.Fields[i].Value)
		}
		return nil
	})
	if want := []string{"acme/salesforce ai-launch-tour/" + deal + "/" + other + " same", "acme/salesforce ai-launch-tour/" + deal + "/" + other + " different"}; err != nil || !slices.Equal(decided, want) {
		t.Errorf("journeys say %q, want %q: %v", decided, want, err)
	}
}
