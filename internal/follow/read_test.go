package follow_test

import (
	"slices"
	"testing"

	"tracksource/deploy/kafka"
	"tracksource/internal/follow"
	"tracksource/internal/line"
	"tracksource/schemas/avro"
	"tracksource/stream"
)

// TestReadDeal: of a deal that is read straight from the topic there is what a
// follower has of it: nothing of another book, of a life that is over or of an account
// that it has left. Who names no deal is told of such as there are.
func TestReadDeal(t *testing.T) {
	m, err := kafka.StartMemory(kafka.MemoryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	spec, err := kafka.Load(kafka.ProfileLocal, kafka.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Apply(t.Context(), m.Conn(), spec); err != nil {
		t.Fatal(err)
	}
	codecs, err := avro.OpenCodecs(t.Context(), avro.NewMemory(), "tracksource")
	if err != nil {
		t.Fatal(err)
	}
	conn := line.StreamConn(m.Conn())
	p, err := stream.NewProducer(conn, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const deal = "acme/salesforce/opportunity/"
	tell := func(book, id, account string, source int32, generation int64, state string) {
		t.Helper()
		key := avro.FactsKey{Contract: book, Conversion: deal + id, Account: []byte(account), Revision: 1, SourcePartition: source}
		v := avro.Facts{
			Kind: "facts", Generation: generation, SourcePartition: source, Contract: book, Revision: 1, Account: key.Account,
			Conversion: key.Conversion, State: state, AsOf: start.AddDate(0, 0, int(source)),
		}
		if book == "" {
			key, v = avro.FactsKey{SourcePartition: source}, avro.Facts{Kind: "generation", Generation: generation, SourcePartition: source, AsOf: start}
		}
		message := stream.Message{Topic: spec.Facts(), Key: encode(t, codecs.FactsKey, key)}
		if state != "withdrawn" {
			message.Value = encode(t, codecs.Facts, v)
		}
		if err := p.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
	}
	read := func(id string) (state string, near []string) {
		t.Helper()
		d, near, err := follow.ReadDeal(t.Context(), conn, codecs, quiet, spec.Facts(), "tour", deal+id)
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			return "", near
		}
		return d.Newest().State, near
	}
	tell("tour", "1", "a", 1, 10, "open")
	tell("other", "1", "a", 1, 10, "lost")
	tell("other", "4", "a", 1, 10, "lost")
	for _, id := range []string{"20", "21", "22", "23", "24", "25"} {
		tell("tour", id, "a", 1, 10, "open")
	}
	tell("tour", "25", "a", 1, 10, "withdrawn")
	if state, near := read("1"); state != "open" || near != nil {
		t.Errorf("deal 1 is %q beside %v, want open", state, near)
	}
	if state, near := read("4"); state != "" || len(near) != 5 || near[0] != deal+"1" {
		t.Errorf("a deal of another book is %q beside %v", state, near)
	}
	if _, near := read("25"); slices.Contains(near, deal+"25") || len(near) != 5 || near[0] != deal+"20" {
		t.Errorf("beside a deal that was withdrawn there are %v", near)
	}
	moved := []string{"260", "261", "262", "263", "264"}
	for i := range moved {
		tell("tour", moved[i], "a", 1, 10, "open")
		tell("tour", moved[i], "b", 1, 10, "open")
		tell("tour", moved[i], "a", 1, 10, "withdrawn")
		moved[i] = deal + moved[i]
	}
	if _, near := read("26"); !slices.Equal(near, moved) {
		t.Errorf("beside deals that have moved there are %v", near)
	}
	tell("tour", "1", "b", 2, 10, "won")
	if state, _ := read("1"); state != "won" {
		t.Errorf("a deal that has moved is %q, want won", state)
	}
	tell("", "", "", 2, 11, "")
	if state, _ := read("1"); state != "open" {
		t.Errorf("behind a source that began anew the deal is %q, want open", state)
	}
}
