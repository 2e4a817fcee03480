package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"tracksource/contract/example"
)

const ownMapping = `mapping: {partner: acme, feed: analytics, source: forms}
rules:
  - name: form
    when: {path: kind, equals: form}
    id: id
    time: at
    identities: {user: WHO, email: mail}
    touch: {type: {const: form}, utm_source: from, utm_medium: {const: email}, utm_campaign: {const: ai-launch-tour}}
`

// TestMappingApply: what was refused for want of a mapping counts once there is
// one, what a first mapping read wrongly is put right by a second, and the end is
// that of a line which had the right one from the start.
func TestMappingApply(t *testing.T) {
	t.Parallel()
	events := `{"kind":"form","id":"1","at":"2026-03-05T12:00:00Z","who":"somebody","mail":"buyer@large-prospect.com","from":"globex"}
{"kind":"form","id":"2","at":"2026-03-06T12:00:00Z","who":"somebody","whom":"else","mail":"buyer@large-prospect.com","from":"acme"}
{"kind":"form","id":"3","at":"2026-03-07T12:00:00Z","from":"acme"}
`
	send := func(w *world) {
		t.Helper()
		w.says(exitOK, "3 events", "send", w.file("forms.ndjson", events), "--feed", "analytics.acme", "--bootstrap-servers", w.conn.String())
	}
	flags := func(w *world, args ...string) []string {
		return append(args, "--bootstrap-servers", w.conn.String(), "--registry", w.registry)
	}
	good := strings.Replace(ownMapping, "WHO", "who", 1)

	right := newWorld(t, true)
	right.settle() // makes topics and the contract
	right.says(exitOK, "revision 1 is in force", flags(right, "mapping", "apply", right.file("good.yaml", good))...)
	send(right)
	want := right.settle()

	w := newWorld(t, true)
	before := w.settle()
	send(w)
	if got := w.settle(); !reflect.DeepEqual(got, before) {
		t.Fatal("events of no known shape change contributions")
	}
	bad := w.file("bad.yaml", strings.Replace(strings.Replace(ownMapping, "WHO", "whom", 1), "utm_source: from", "utm_source: {const: globex}", 1))
	w.says(exitOK, "would be in force", flags(w, "mapping", "apply", bad, "--dry-run")...)
	w.says(exitOK, "revision 1 is in force; ", flags(w, "mapping", "apply", bad)...)
	if got := w.settle(); reflect.DeepEqual(got, want) || reflect.DeepEqual(got, before) {
		t.Fatal("the first mapping is right, or changes nothing: the test sees nothing")
	}
	w.tool(exitOK, w.flags("fsck")...)
	file := w.file("good.yaml", good)
	w.says(exitUsage, "--previous 1", flags(w, "mapping", "apply", file)...)
	w.says(exitFail, "the newest revision is 1, not 4", flags(w, "mapping", "apply", file, "--previous", "4")...)
	w.says(exitUsage, "--by is required", flags(w, "mapping", "apply", file, "--previous", "1")...)
	w.says(exitFail, "an office", flags(w, "mapping", "apply", file, "--previous", "1", "--by", "ann@acme.com", "--why", "asked to")...)
	w.says(exitOK, "revision 2 is in force", flags(w, because("mapping", "apply", file, "--previous", "1")...)...)
	if got := w.settle(); !reflect.DeepEqual(got, want) {
		t.Errorf("contributions after the second mapping\n%v\nwant those of a line that had it from the start\n%v", got, want)
	}
	w.tool(exitOK, w.flags("fsck")...)
	if out := w.tool(exitOK, flags(w, "mapping", "list")...); !regexp.MustCompile(`^feed,revision,since,hash,ended,by,why\nanalytics\.acme,2,20\S+Z,[0-9a-f]{64},false,Revenue Operations,as agreed on 3 March\nanalytics\.acme,1,20\S+Z,[0-9a-f]{64},false,,\n$`).MatchString(out) {
		t.Errorf("the mappings are\n%s", out)
	}
	w.says(exitOK, "was in force already", flags(w, "mapping", "apply", file)...)
	if got := w.settle(); !reflect.DeepEqual(got, want) {
		t.Error("reading the feed once more changes something")
	}
}

// TestMappingTest shows offline what a mapping makes of a file.
func TestMappingTest(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	file := w.file("own.yaml", strings.Replace(ownMapping, "WHO", "who", 1))
	in := w.file("in.ndjson", `{"kind":"form","id":"1","at":"2026-03-05T12:00:00Z","who":"somebody","mail":"buyer@large-prospect.com","from":"globex","rating":5}
{"kind":"form","id":"2","at":"soon","who":"somebody"}
{"kind":"survey"}
`)
	out := w.tool(exitOK, "mapping", "test", file, "--in", in)
	for _, want := range []string{"1 forms touch form", "1 dead letter bad_time", "1 dead letter unknown_shape"} {
		if !strings.Contains(out, want) {
			t.Errorf("it says\n%s\nwant %q", out, want)
		}
	}
	out = w.tool(exitOK, "mapping", "test", file, "--in", in, "--explain")
	for _, want := range []string{"line 1: rules form", "form: identities.user", "= (pseudonym)", "not read: rating", "=> forms touch form of person", "=> dead letter, bad_time: rules[0].time", "line 3: no rule"} {
		if !strings.Contains(out, want) {
			t.Errorf("it explains\n%s\nwant %q", out, want)
		}
	}
	if strings.Contains(out, "buyer@") || strings.Contains(out, "somebody") {
		t.Errorf("it shows people:\n%s", out)
	}
	w.says(exitUsage, "name one mapping", "mapping", "test", file)
	w.says(exitUsage, "for the feed analytics of acme", "mapping", "test", file, "--feed", "crm", "--in", in)
	w.says(exitFail, "mapping is not valid", "mapping", "test", w.file("bad.yaml", "rules: 1"), "--in", in)
	w.says(exitUsage, "does not say its format", "mapping", "test", file, "--in", w.file("x", ""))
}

const classified = `{"kind":"form","id":"1","at":"2026-03-05T12:00:00Z","who":"somebody","from":"globex"}
{"kind":"form","id":"2","at":"2026-03-06T12:00:00Z","who":"somebody","from":"globex"}
{"type":"track","messageId":"3","event":"Form Submitted","userId":"u","timestamp":"2026-03-06T12:00:00Z","context":{"campaign":{"name":"other","source":"bing","medium":"cpc"}}}
`

// TestMappingTestContract shows, with a contract, how events would be classified
// and by which rule, by a mapping and as native shapes.
func TestMappingTestContract(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	agreed := w.file("contract.yaml", string(example.AILaunchTour()))
	own := w.file("own.yaml", strings.Replace(ownMapping, "WHO", "who", 1))
	out := w.tool(exitOK, "mapping", "test", own, "--contract", agreed, "--in", w.file("in.ndjson", classified), "--explain")
	for _, want := range []string{
		"     form of campaign ai-launch-tour, channel Email, partner globex, asset (unknown), source globex\n     by campaign: utm_campaign; channel: ",
		"     form of campaign other, channel Paid Search, partner acme, ",
		"under the contract of ai-launch-tour:\n     2 touches of campaign ai-launch-tour, channel Email, partner globex\n     1 touches of campaign other, channel Paid Search, partner acme\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it explains\n%s\nwant %q", out, want)
		}
	}

	deals := w.file("deals.ndjson", `{"attributes":{"type":"Opportunity"},"Id":"006A","AccountId":"001A","StageName":"Qualification","IsClosed":false,"IsWon":false,"CampaignId":"701AILAUNCHTOUR","CreatedDate":"2026-03-01T00:00:00Z","LastModifiedDate":"2026-03-02T00:00:00Z","SystemModstamp":"2026-03-02T00:00:00Z"}
{"attributes":{"type":"Opportunity"},"Id":"006B","AccountId":"001A","StageName":"Thinking","IsClosed":false,"IsWon":false,"CreatedDate":"2026-03-01T00:00:00Z","LastModifiedDate":"2026-03-02T00:00:00Z","SystemModstamp":"2026-03-02T00:00:00Z"}
{"attributes":{"type":"CampaignMember"},"Id":"00v1","ContactId":"003A","CampaignId":"701AILAUNCHTOUR","Status":"Attended","CreatedDate":"2026-03-01T00:00:00Z","LastModifiedDate":"2026-03-02T00:00:00Z","SystemModstamp":"2026-03-02T00:00:00Z"}
{"attributes":{"type":"Lead"},"Id":"00Q1","Status":"MQL","Email":"a@example.com","CreatedDate":"2026-03-01T00:00:00Z","LastModifiedDate":"2026-03-02T00:00:00Z","SystemModstamp":"2026-03-02T00:00:00Z"}
{"attributes":{"type":"Account"},"Id":"001A","BillingCountry":"Germany","LastModifiedDate":"2026-03-02T00:00:00Z","SystemModstamp":"2026-03-02T00:00:00Z"}
`)
	out = w.tool(exitOK, "mapping", "test", "--contract", agreed, "--feed", "crm", "--partner", "acme", "--in", deals, "--explain")
	for _, want := range []string{
		`stage "Qualification": open, milestone SQL, by `, "its CRM campaign is this campaign", `stage "Thinking": open, no milestone, by flags of the CRM`,
		"     attendance of campaign ai-launch-tour, channel Events, partner acme, asset (unknown), source (unknown)\n     by type: built-in status; campaign: crm_campaign",
		`stage "MQL": milestone MQL, by named like the milestone`,
		"     region EMEA, segment ", "     1 deals that name the campaign\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it explains\n%s\nwant %q", out, want)
		}
	}
	w.says(exitUsage, "say whose events they are", "mapping", "test", "--contract", agreed, "--in", deals)
	w.says(exitFail, "zone", "mapping", "test", "--contract", w.file("bad.yaml", "campaign: {id: x, name: x}"), "--feed", "crm", "--partner", "acme", "--in", deals)
}
