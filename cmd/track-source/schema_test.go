package main

import (
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"tracksource/schemas/avro"
)

// TestSchemaDiff says what differs between files and what a registry holds, and
// who can still read whom.
func TestSchemaDiff(t *testing.T) {
	w := &world{t: t}
	const v1 = `{"type":"record","name":"Deal","fields":[{"name":"id","type":"string"},{"name":"stage","type":"string"}]}`
	const v2 = `{"type":"record","name":"Deal","fields":[{"name":"id","type":"string"},{"name":"amount","type":"double"}]}`
	older, newer := w.file("v1.avsc", v1), w.file("v2.avsc", v2)
	memory := avro.NewMemory()
	id, err := memory.Register(context.Background(), "deals-value", v1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(avro.Handler(memory))
	defer server.Close()
	for _, args := range [][]string{{older, newer}, {strconv.Itoa(id), newer, "--registry", server.URL}} {
		out := w.tool(exitOK, append([]string{"schema", "diff"}, args...)...)
		for _, want := range []string{
			"added    amount: double\n", "removed  stage: string\n",
			"the new schema reads data of the old one: no, at ", "the old schema reads data of the new one: no, at ",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("schema diff %v says\n%s\nwant %q", args, out, want)
			}
		}
	}
	w.says(exitOK, "no difference\nthe new schema reads data of the old one: yes\n", "schema", "diff", older, older)
	w.says(exitUsage, "name two schemas", "schema", "diff", older)
	w.says(exitFail, "second schema", "schema", "diff", older, w.file("no.avsc", "{"))
	w.says(exitFail, "schema 999", "schema", "diff", "999", newer, "--registry", server.URL)
	w.says(exitUsage, "no such file", "schema", "diff", "1", newer)
}
