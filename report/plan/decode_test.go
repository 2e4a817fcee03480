package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tracksource/internal/plans"
	"tracksource/report/plan"
)

// TestDecode: what is no plan, a newer one, or edited is told apart.
func TestDecode(t *testing.T) {
	text, err := first(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	var laidOut bytes.Buffer
	if err := json.Compact(&laidOut, text); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		edited     bool
		fault      string
	}{
		{"as it was written", good, false, ""},
		{"laid out otherwise", laidOut.String(), false, ""},
		{"another number", strings.Replace(good, `"records": 1200`, `"records": 1300`, 1), true, ""},
		{"another number of one value", strings.Replace(good, `"records": 1200`, `"records": 1200e0`, 1), true, "cannot be read"},
		{"without its seal", strings.Replace(good, `"seal": "`, `"seal": "0`, 1), true, ""},
		{"a field of its own", strings.Replace(good, `"status":`, `"mine": 1, "status":`, 1), false, "unknown field"},
		{"of another type", strings.Replace(good, `"max_retries": 2`, `"max_retries": "two"`, 1), false, "cannot be read"},
		{"cut", good[:len(good)/2], false, "cannot be read"},
		{"two of them", good + good, false, "cannot be read"},
		{"empty", "", false, "cannot be read"},
		{"another tool's", `{"plan_id": "plan-20261119-120000", "status": "planned", "stages": []}`, false, plan.ErrNoPlan.Error()},
		{"another tool's with a field called alike", `{"track_source": "yes"}`, false, plan.ErrNoPlan.Error()},
		{"a list", `[]`, false, plan.ErrNoPlan.Error()},
		{"a newer one", strings.Replace(good, `"version": 1`, `"version": 2, "more": true`, 1), false, "version 2, and 1 is the newest"},
		{"endless", `{"a": "` + strings.Repeat("x", plan.BytesMax) + `"}`, false, "at most"},
	} {
		p, edited, err := plan.Decode([]byte(c.text))
		switch {
		case c.fault == "" && (err != nil || edited != c.edited || p.PlanID != "plan-20261119-120000"):
			t.Errorf("%s: edited %v, %v; want edited %v", c.name, edited, err, c.edited)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v, want %q", c.name, err, c.fault)
		}
	}
	newer := (*plan.VersionError)(nil)
	if _, _, err := plan.Decode([]byte(`{"track_source": {"version": 7}}`)); !errors.As(err, &newer) || newer.Version != 7 {
		t.Errorf("version 7 is %v", err)
	}
}

// FuzzDecode: any bytes are a plan or an error, and a plan that was not edited is
// written again with the same seal.
func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"track_source":{"version":1},"seal":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, edited, err := plan.Decode(text)
		if err != nil || edited {
			return
		}
		seal := p.Seal
		if again, err := p.Encode(); err == nil && p.Seal != seal && full(t, text, again) {
			t.Errorf("the seal of\n%s\nis %s, and of\n%s\n%s", text, seal, again, p.Seal)
		}
	})
}

// full is whether a plan says all that the code writes, in the same words: a seal is of
// what is there, and the code writes what is left out as empty.
func full(t *testing.T, a, b []byte) bool {
	t.Helper()
	var v, w map[string]any
	if json.Unmarshal(a, &v) != nil || json.Unmarshal(b, &w) != nil {
		return false
	}
	delete(v, "seal")
	delete(w, "seal")
	va, err := json.Marshal(v)
	wb, bad := json.Marshal(w)
	return err == nil && bad == nil && bytes.Equal(va, wb)
}

// TestDecodeOlder: a plan from before plans said by which mapping a feed is read is valid,
// unedited, and counts as the last plan of its campaign.
func TestDecodeOlder(t *testing.T) {
	text, err := os.ReadFile("testdata/completed_before_mappings.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := plans.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Check(text); err != nil {
		t.Error(err)
	}
	older, edited, err := plan.Decode(text)
	if err != nil || edited || len(older.TrackSource.DataSources) == 0 {
		t.Fatalf("edited %v, %v", edited, err)
	}
	for _, s := range older.TrackSource.DataSources {
		if s.Mapping != nil {
			t.Errorf("%s is read by %+v", s.Feed, s.Mapping)
		}
	}
	_, pkg := second()
	_, news := next(t, older, asked, pkg, noon.AddDate(0, 0, 14))
	var got []string
	for _, c := range news {
		if c.Subject == "data_source" {
			got = append(got, c.Key+": "+c.Before+" -> "+c.After+": "+c.Why)
		}
	}
	want := []string{
		"map.acme:  -> mapping revision 3 " + mappingHash(3) + ": the last plan does not say how it was read",
		"crm.globex:  -> mapping revision 1 " + mappingHash(1) + ": the last plan does not say how it was read",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
