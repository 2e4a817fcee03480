package contract_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"tracksource/attribution/model"
	"tracksource/contract"
	"tracksource/contract/example"
	"tracksource/identity"
)

func parseFile(t *testing.T) *contract.Contract {
	t.Helper()
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClassify(t *testing.T) {
	c := parseFile(t)
	golden(t, "testdata/classify.txt", func(t *testing.T, b block) string {
		f := b.fields(t)
		var at time.Time
		if f["at"] != "" {
			var err error
			if at, err = time.Parse(time.RFC3339, f["at"]); err != nil {
				t.Fatal(err)
			}
		}
		got := c.Classify(contract.TouchInput{
			At: at, Account: f["account"], Status: f["status"],
			Reporter: f["reporter"], Feed: f["feed"], Source: f["source"], Type: f["type"], Asset: f["asset"],
			UTMSource: f["utm_source"], UTMMedium: f["utm_medium"], UTMCampaign: f["utm_campaign"],
			ClickID: f["click_id"], Referrer: f["referrer"], CRMCampaign: f["crm_campaign"], Bot: f["bot"] == "true",
		})
		counts := "counts"
		if f["status"] != "" {
			counts = "counts as " + got.Type
		}
		if !got.Counts {
			counts = "excluded: " + got.Excluded
		}
		return fmt.Sprintf("%s\ncampaign %s, channel %s, partner %s, asset %s, source %s\n%s",
			counts, got.Campaign, got.Channel, got.Partner, got.Asset, got.Source, got.Rule)
	})
}

func TestStage(t *testing.T) {
	c := parseFile(t)
	golden(t, "testdata/stages.txt", func(t *testing.T, b block) string {
		f := b.fields(t)
		got := c.Stage(f["partner"], f["source"], f["stage"], f["closed"] == "true", f["won"] == "true")
		return fmt.Sprintf("%s, milestone %q, by %s", got.State, got.Milestone, got.Rule)
	})
}

func TestPersonStage(t *testing.T) {
	c := parseFile(t)
	golden(t, "testdata/people.txt", func(t *testing.T, b block) string {
		f := b.fields(t)
		milestone, rule := c.PersonStage(f["object"], f["partner"], f["source"], f["stage"])
		return fmt.Sprintf("milestone %q, %s; mapped %v", milestone, rule, c.MapsStage(f["object"], f["partner"], f["source"], f["stage"]))
	})
}

// TestErrors edits one line of a good document and shows what Parse says.
func TestErrors(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/errors.txt", func(t *testing.T, b block) string {
		text := string(data)
		for _, line := range b.input {
			old, replacement, found := strings.Cut(line, " => ")
			if !found || !strings.Contains(text, old) {
				t.Fatalf("%q does not edit the document", line)
			}
			text = strings.Replace(text, old, strings.ReplaceAll(replacement, `\n`, "\n"), 1)
		}
		_, err := contract.Parse([]byte(text))
		var invalid *contract.Invalid
		if err != nil && !errors.As(err, &invalid) {
			t.Fatalf("%v is a %T", err, err)
		}
		if err == nil {
			return "valid"
		}
		return err.Error()
	})
}

func TestParse(t *testing.T) {
	c := parseFile(t)
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if c.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("Hash = %s", c.Hash)
	}
	if c.Campaign != "spring" || c.Currency != "EUR" || c.Exponent != 2 || len(c.Partners) != 3 {
		t.Errorf("%+v", c)
	}
	if ally := c.Partners[1]; ally.Role != contract.RolePartner || ally.Visibility != contract.VisibilityOwn || ally.Name != "ally" {
		t.Errorf("ally = %+v", ally)
	}
	if w := c.Window; w.LookbackDays != 60 || w.LatenessDays != 10 || !w.HasHistory || w.HistoryFrom.String() != "2026-01-01" {
		t.Errorf("window = %+v", w)
	}
	if !c.HasStarts || !c.HasEnds || c.Starts.String() != "2026-03-02" || c.Ends.String() != "2026-05-31" {
		t.Errorf("the campaign is from %v to %v", c.Starts, c.Ends)
	}
	if c.MultiTouch != "position-based" || c.SourcedDays != 30 {
		t.Errorf("multi-touch %s, sourced %d", c.MultiTouch, c.SourcedDays)
	}
	// 22:30 UTC in winter is 23:30 in Berlin, in summer the next day.
	if got := c.Day(time.Date(2026, 1, 31, 22, 30, 0, 0, time.UTC)).String(); got != "2026-01-31" {
		t.Errorf("winter day %s", got)
	}
	if got := c.Day(time.Date(2026, 6, 30, 22, 30, 0, 0, time.UTC)).String(); got != "2026-07-01" {
		t.Errorf("summer day %s", got)
	}
	if !c.IsCampaign("701abc") || c.IsCampaign("") || c.IsCampaign("701") {
		t.Error("IsCampaign")
	}
	if c.PartnerCurrency("ally") != "USD" || c.PartnerCurrency("stranger") != "" || c.IsPartner("stranger") {
		t.Error("PartnerCurrency")
	}
}

func TestDefaults(t *testing.T) {
	c, err := contract.Parse([]byte(`
campaign: {id: small, name: Small}
zone: UTC
currency: JPY
partners: [{id: host, role: host, currency: JPY}]
system_of_record: {partner: host, source: salesforce}
match: {utm_campaign: [small]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Models, " "); got != "first-touch last-touch position-based" || c.MultiTouch != "position-based" {
		t.Errorf("models %s, multi-touch %s", got, c.MultiTouch)
	}
	if c.Window.LookbackDays != 90 || c.Window.LatenessDays != 30 || c.Window.HasHistory || c.Exponent != 0 {
		t.Errorf("%+v", c)
	}
	for _, touchType := range []string{"visit", "ad_click", "email_click", "form", "download", "registration", "attendance", "meeting"} {
		if got := c.Classify(contract.TouchInput{Reporter: "host", Type: touchType}); !got.Counts {
			t.Errorf("%s does not count: %+v", touchType, got)
		}
	}
	if got := c.Classify(contract.TouchInput{Reporter: "host", Type: "email_open"}); got.Counts {
		t.Error("an open counts")
	}
}

// TestModels: the ledger has the ids, and beside each what it is.
func TestModels(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]string{
		"models: [last-touch, position-based]":                             "last-touch position-based; position-based",
		"models: [first_touch, Last Touch, multi-touch]":                   "first-touch last-touch position-based; position-based",
		"models: [linear, multi-touch]\nmulti_touch: time_decay":           "linear time-decay; time-decay",
		"models: [last-touch, linear, first-touch]":                        "last-touch linear first-touch; linear",
		"models: [first-touch, last-touch]":                                "first-touch last-touch; last-touch",
		"multi_touch: w-shaped":                                            "first-touch last-touch w-shaped; w-shaped",
		"multi_touch: multi-touch":                                         "first-touch last-touch position-based; position-based",
		"models: [{model: linear, id: even}, j-shaped]\nmulti_touch: even": "even j-shaped; even",
	} {
		c, err := contract.Parse([]byte(strings.Replace(string(data), "models: [last-touch, position-based]", list, 1)))
		if err != nil {
			t.Errorf("%s: %v", list, err)
			continue
		}
		if got := strings.Join(c.Models, " ") + "; " + c.MultiTouch; got != want || len(c.Specs) != len(c.Models) {
			t.Errorf("%s: got %s, want %s", list, got, want)
		}
	}
	list := `models: [{model: position-based, first: 30%}, {model: time-decay, half_life: 36h, conversion_touch: exclude},
  {model: custom, types: {form: 3, visit: 0.5}, exclude: {partner: [quiet], channel: [Direct]}, transforms: ["trim=5@asset", first]},
  {model: w-shaped, rest: between}]`
	c, err := contract.Parse([]byte(strings.Replace(string(data), "models: [last-touch, position-based]", list, 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := []model.Spec{
		{Model: model.PositionBased, Shares: &model.Shares{First: 300_000, Middle: 300_000, Last: 400_000}},
		{Model: model.TimeDecay, HalfLife: 36 * time.Hour, ConversionTouchExcluded: true},
		{
			Model: model.Custom, Types: []model.TypeWeight{{Type: "form", Weight: 3_000_000}, {Type: "visit", Weight: 500_000}},
			Exclude:    []model.Exclusion{{Key: model.KeyChannel, Value: "Direct"}, {Key: model.KeyPartner, Value: "quiet"}},
			Transforms: []model.Transform{{Name: model.Trim, Keep: 5, Key: model.KeyAsset}, {Name: model.First}},
		},
		{Model: model.WShaped, Rest: model.RestBetween},
	}
	if !reflect.DeepEqual(c.Specs, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c.Specs, want)
	}
}

func TestRegionAndSegment(t *testing.T) {
	c := parseFile(t)
	for country, want := range map[string]string{
		"DE": "DACH", " austria ": "DACH", "no": "Nordics", "FR": contract.Unknown, "": contract.Unknown,
	} {
		if got := c.Region(country); got != want {
			t.Errorf("Region(%q) = %s, want %s", country, got, want)
		}
	}
	for _, s := range []struct{ industry, employees, want string }{
		{"Government (federal)", "5000", "Public"},
		{"Retail", "1,000", "Large"},
		{"Retail", "999", "Small"},
		{"", "0", "Small"},
		{"Retail", "", contract.Unknown},
		{"Retail", "many", contract.Unknown},
		{"Retail", "-1", contract.Unknown},
	} {
		if got := c.Segment(s.industry, s.employees); got != s.want {
			t.Errorf("Segment(%q, %q) = %s, want %s", s.industry, s.employees, got, s.want)
		}
	}
}

func TestValuesAreBounded(t *testing.T) {
	c := parseFile(t)
	got := c.Classify(contract.TouchInput{
		Reporter: "host", Type: "visit",
		UTMSource: strings.Repeat("é", 200), UTMCampaign: "other\xff", Asset: " " + strings.Repeat("a", 300),
	})
	if len(got.Source) > 100 || got.Source != strings.Repeat("é", 50) || len(got.Asset) != 100 || got.Campaign != "other\uFFFD" {
		t.Errorf("%+v", got)
	}
}

func TestExample(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	if c.Campaign != "ai-launch-tour" || c.Currency != "USD" || c.Zone.String() != "America/New_York" || len(c.Models) != 3 {
		t.Fatalf("%+v", c)
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(example.AILaunchTour())
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("partners: [{id: 1}]\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := contract.Parse(data)
		if err != nil {
			var invalid *contract.Invalid
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
				t.Fatalf("%T without problems: %v", err, err)
			}
			_, again := contract.Parse(data)
			if again == nil || again.Error() != err.Error() {
				t.Fatalf("two errors for one document: %v, %v", err, again)
			}
			return
		}
		if c.Zone == nil || !c.IsPartner(c.SystemOfRecord.Partner) || len(c.Models) == 0 || len(c.Models) > contract.ModelsMax {
			t.Fatalf("accepted: %+v", c)
		}
		c.Classify(contract.TouchInput{Reporter: c.Partners[0].ID, Feed: "crm", Type: "visit", UTMSource: "x", UTMCampaign: "y"})
	})
}

// TestCampaignForms: a Salesforce campaign is the same in both spellings of its
// id.
func TestCampaignForms(t *testing.T) {
	c, err := contract.Parse(example.AILaunchTour())
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"701AILAUNCHTOUR": true, "701AILAUNCHTOUR2Q3": false, identity.SalesforceID("701AILAUNCHTOUR"): true, "AI Launch Tour": true, "": false} {
		if got := c.IsCampaign(id); got != want {
			t.Errorf("IsCampaign(%q) = %t, want %t", id, got, want)
		}
	}
}
