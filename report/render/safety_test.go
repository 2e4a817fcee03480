package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"tracksource/report"
	"tracksource/report/render"
)

// evilNames are what a name may be that somebody else wrote.
func evilNames() []string {
	return []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</style><script>alert(1)</script>", "</title><iframe src=//evil.example>",
		"javascript:alert(1)", "[text](https://evil.example)", "![x](https://evil.example/x.png)", "<https://evil.example>", "https://evil.example/x", "www.evil.example",
		"a | b || c", "| --- |", "`code` *em* **strong** __x__ ~~gone~~", "# heading", "- item", "1. item", "2) item", "+ item", "> quote", "=====", "---", "***", "[x] done", "[ref]: https://evil.example",
		"line\nbreak\r\n\r\n# two", "\ttabbed", "    indented", "&lt;b&gt; &amp; &#60;", `back\slash\`, "$x^2$", "@everyone", "{{.Title}}", "<!-- comment -->", "]]>", "<![CDATA[x]]>",
		"\u202Egnp.exe", "\u2066isolated", "שלום עולם", "مرحبا", "👩‍👩‍👧 émoji", strings.Repeat("unbroken", 300), strings.Repeat("many words ", 400),
		"nul\x00 esc\x1b[31m bel\a", "\xff\xfe", "\ufeffmark", "=1+1", "'", `"`, "", " ", "(none)", "(unattributed)", "9.9", "-0.000000001", "99999999999999999999999999999.999999999",
	}
}

// infected is the sample with what draw gives in place of its texts. Without all, what
// kinds values have stays, and so do values.
func infected(t testing.TB, draw func() (string, bool)) *report.Package {
	p := sample(t)
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			if s, ok := draw(); ok {
				v.SetString(s)
			}
		default:
		}
	}
	walk(reflect.ValueOf(p).Elem())
	return p
}

// elements are those that a page has.
const elements = " html head meta title style body main header section nav p h1 h2 h3 dl div dt dd ul ol li span a b bdi strong table caption thead tbody tr th td figure figcaption details summary svg g rect line circle text "

// attributes are those that an element may have, and what of it may be of the package:
// what is read out, and lengths.
const attributes = " lang charset http-equiv content name role class id href tabindex scope aria-label aria-hidden x y x1 x2 y1 y2 cx cy r rx width height dy text-anchor "

// checkHTML fails for a page that is not made of its own elements, or whose drawings
// leave their frames.
func checkHTML(t failer, name, text string) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	scopes := map[string]bool{}
	for n := range root.Descendants() {
		switch n.Type {
		case html.CommentNode:
			t.Fatalf("%s has a comment: %q", name, n.Data)
		case html.ElementNode:
			if !strings.Contains(elements, " "+n.Data+" ") {
				t.Fatalf("%s has the element %s", name, n.Data)
			}
			checkAttributes(t, name, n, scopes)
			checkDrawing(t, name, n)
		default:
		}
	}
}

// failer is what can fail a test: of testing and of rapid.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkAttributes(t failer, name string, n *html.Node, ids map[string]bool) {
	t.Helper()
	for _, a := range n.Attr {
		switch {
		case !strings.Contains(attributes, " "+a.Key+" "):
			t.Fatalf("%s: %s has the attribute %s=%q", name, n.Data, a.Key, a.Val)
		case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
			t.Fatalf("%s: a link leads to %q", name, a.Val)
		case a.Key == "id" && ids[a.Val]:
			t.Fatalf("%s has two of the id %q", name, a.Val)
		case a.Key == "class" && strings.Trim(a.Val, "abcdefghijklmnopqrstuvwxyz0123456789 -") != "":
			t.Fatalf("%s: a class is %q", name, a.Val)
		}
		if a.Key == "id" {
			ids[a.Val] = true
		}
	}
}

// checkDrawing fails for a bar or a column that leaves its frame, and for segments that
// lie on each other.
func checkDrawing(t failer, name string, n *html.Node) {
	t.Helper()
	if n.Data != "rect" && n.Data != "line" && n.Data != "circle" {
		return
	}
	at := func(key string) int {
		for _, a := range n.Attr {
			if a.Key != key {
				continue
			}
			whole, ok := strings.CutSuffix(a.Val, "%")
			v, err := strconv.Atoi(strings.Replace(whole, ".", "", 1))
			if ok && strings.Contains(whole, ".") && (err != nil || v < 0 || v > 10_000) {
				t.Fatalf("%s: %s of a %s is %s", name, key, n.Data, a.Val)
			}
			if ok && strings.Contains(whole, ".") {
				return v
			}
		}
		return 0
	}
	for _, key := range []string{"x1", "x2", "y1", "y2", "cx", "cy"} {
		at(key)
	}
	for _, side := range [][2]string{{"x", "width"}, {"y", "height"}} {
		if end := at(side[0]) + at(side[1]); end > 10_000 {
			t.Fatalf("%s: a %s ends at %d", name, n.Data, end)
		}
	}
	if n.Data == "rect" && n.PrevSibling != nil && n.PrevSibling.Data == "rect" && n.Parent.Data == "svg" {
		if before := attribute(n.PrevSibling, "x"); before != "" && at("x") == 0 {
			t.Fatalf("%s: a segment lies on the one before it", name)
		}
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// markdownElements are those that a Markdown page becomes.
const markdownElements = " html head body h1 h2 h3 p strong ul li blockquote table thead tbody tr th td "

func checkMarkdown(t failer, name, text string) {
	var b bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList)).Convert([]byte(text), &b); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	root, err := html.Parse(&b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for n := range root.Descendants() {
		switch {
		case n.Type == html.CommentNode, n.Type == html.ElementNode && !strings.Contains(markdownElements, " "+n.Data+" "):
			t.Fatalf("%s became a %s in %s\n%s", name, n.Data, n.Parent.Data, text)
		case n.Data == "tr" && n.Type == html.ElementNode:
			width, cells := 0, 0
			for range n.ChildNodes() {
				cells++
			}
			for c := range n.Parent.Parent.Descendants() {
				if c.Data == "th" {
					width++
				}
			}
			if cells < width {
				t.Fatalf("%s: a row has %d nodes for %d columns", name, cells, width)
			}
		}
	}
}

func checkPages(t failer, p *report.Package, tb testing.TB) {
	for name, text := range written(tb, p, render.HTML, render.Markdown) {
		if strings.HasSuffix(name, ".html") {
			checkHTML(t, name, text)
		} else {
			checkMarkdown(t, name, text)
		}
	}
}

// TestNamesStayText puts each hostile name into every place of the package that a name
// can be in.
func TestNamesStayText(t *testing.T) {
	for _, name := range evilNames() {
		t.Run(fmt.Sprintf("%.20q", name), func(t *testing.T) {
			checkPages(t, infected(t, func() (string, bool) { return name, true }), t)
		})
	}
}

// TestNamesAreShown holds that a name that is text is read on the page as it was written.
func TestNamesAreShown(t *testing.T) {
	for _, name := range evilNames() {
		if strings.TrimSpace(name) == "" || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\x1b\a\ufeff\u202e\u2066") || len(name) > 100 {
			continue // is shortened or cleaned
		}
		p := &report.Package{Title: "t", Headline: name, Risks: []report.Insight{{Text: name}}, Decisions: []report.Decision{{Text: name}}}
		want := strings.Join(strings.Fields(name), " ")
		files := written(t, p, render.HTML, render.Markdown)
		var b bytes.Buffer
		if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(files["summary.md"]), &b); err != nil {
			t.Fatal(err)
		}
		for format, page := range map[string]string{"HTML": files["summary.html"], "Markdown": b.String()} {
			root, err := html.Parse(strings.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for n := range root.Descendants() {
				if n.Type == html.TextNode && strings.TrimSpace(n.Data) == want {
					seen++
				}
			}
			if seen != 3 {
				t.Errorf("%s shows %q %d times, want 3\n%s", format, want, seen, page[max(0, len(page)-1200):])
			}
		}
	}
}

// TestAnyPackage renders packages in which any text is any other.
func TestAnyPackage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := evilNames()
		at := rapid.IntRange(0, len(names)-1).Draw(rt, "at")
		often := rapid.IntRange(1, 9).Draw(rt, "often")
		p := infected(t, func() (string, bool) {
			at = (at*31 + 17) % 10_007
			return names[at%len(names)], at%10 < often
		})
		checkPages(rt, p, t)
	})
}

func FuzzPackage(f *testing.F) {
	b, err := json.Marshal(&report.Package{Title: "t", Spine: []report.KPI{{Title: "a", Value: "1", Target: "3", Kind: report.MoneyColumn}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"tables":[{"id":"timeseries","columns":[{"id":"start","kind":"day"},{"id":"a","kind":"money"}],"rows":[["2026-01-01","-5"],["2026-01-02","99999999999999999999999999999"]]},{"id":"curves_x","columns":[{"id":"c","kind":"text"},{"id":"m0","kind":"ratio"},{"id":"m1","kind":"ratio"}],"rows":[["a","0.1","0.5"],["b","",""]]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := new(report.Package)
		if json.Unmarshal(b, p) != nil || p.Check() != nil {
			t.Skip()
		}
		checkPages(t, p, t)
	})
}

// TestWarnings holds that whatever a reader must not miss stands above the headline.
func TestWarnings(t *testing.T) {
	fresh := report.FeedQA{Feed: "crm", Partner: "acme", Fresh: true, Complete: true}
	for _, c := range []struct {
		name   string
		change func(*report.Package)
		want   []string
	}{
		{"nothing", func(*report.Package) {}, nil},
		{"empty", func(p *report.Package) { p.Empty = "No row is of these days; there are some from 2026-01-02 on." }, []string{"Nothing to report: No row is of these days; there are some from 2026-01-02 on."}},
		{"proposed", func(p *report.Package) { p.Proposed = true }, []string{"Proposed: These figures follow a contract that is proposed and not agreed. They bind nobody."}},
		{"withheld", func(p *report.Package) { p.Withheld, p.MadeFor = true, "globex" }, []string{"Withheld: Made for Globex: the contract's visibility leaves out part of what the campaign has. What is left out is not zero."}},
		{"behind", func(p *report.Package) {
			p.Observed.BehindSeconds, p.Observed.BehindWhy = 3720, "The reporter is restoring."
		}, []string{"Behind: The figures were 1 h 2 min behind what had arrived when the package was made. The reporter is restoring."}},
		{"stale", func(p *report.Package) {
			p.Observed.Feeds = append(p.Observed.Feeds, report.FeedQA{Feed: "map", Partner: "globex", AgeSeconds: 90_000, LimitSeconds: 3600, Complete: true}, report.FeedQA{Feed: "analytics", Partner: "initech", AgeSeconds: -1, Complete: false, Completeness: "0.5"})
		}, []string{"Feeds beyond their limits: map of Globex (1 d 1 h old, 1 h allowed), analytics of Initech Data (nothing has arrived; 50% complete)."}},
		{"all", func(p *report.Package) { p.Empty, p.Proposed, p.Withheld = "No row.", true, true }, []string{"Nothing to report: No row.", "Proposed: ", "Withheld: Made for its reader"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := sample(t)
			p.Observed.Feeds = []report.FeedQA{fresh}
			c.change(p)
			files := written(t, p, render.HTML, render.Markdown)
			for name, page := range files {
				var got []string
				if strings.HasSuffix(name, ".md") {
					above, _, _ := strings.Cut(page, "\n**AI Launch")
					for line := range strings.Lines(above) {
						if text, ok := strings.CutPrefix(line, "> "); ok {
							got = append(got, strings.NewReplacer("**", "", "\n", "", `\`, "").Replace(text))
						}
					}
				} else {
					root, err := html.Parse(strings.NewReader(page))
					if err != nil {
						t.Fatal(err)
					}
					for n := range root.Descendants() {
						if attribute(n, "class") == "headline" {
							break
						}
						if attribute(n, "class") == "warning" {
							got = append(got, strings.Replace(textOf(n), " ", ": ", 1))
						}
					}
				}
				same := slices.EqualFunc(got, c.want, func(g, w string) bool {
					squeeze := strings.NewReplacer(":", "", " ", "")
					return strings.HasPrefix(squeeze.Replace(g), squeeze.Replace(w))
				})
				if !same {
					t.Errorf("%s warns of %q, want %q", name, got, c.want)
				}
			}
		})
	}
}

// textOf is all text below a node.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// TestEveryTable holds that a table is in the snapshot whatever it is called, with its
// bounds.
func TestEveryTable(t *testing.T) {
	p := sample(t)
	long := report.Table{ID: "never_heard_of", Title: "Never heard of", LeftOut: 7, Columns: []report.Column{{ID: "x", Title: "X", Kind: report.CountColumn}}}
	for i := range 120 {
		long.Rows = append(long.Rows, []string{strconv.Itoa(i)})
	}
	p.Tables = append(p.Tables, long)
	page := written(t, p, render.HTML)["snapshot.html"]
	for _, table := range p.Tables {
		if len(table.Rows) > 0 && table.ID != "feeds" && !strings.Contains(page, "<bdi>"+html.EscapeString(table.Title)+"</bdi>") {
			t.Errorf("the table %s is not in the snapshot", table.ID)
		}
	}
	if want := "The first 50 of 127 rows. More are in the table never_heard_of of the package. The last 7 are in no file."; !strings.Contains(page, want) {
		t.Errorf("the snapshot does not say %q", want)
	}
}

// TestSameBytes renders twice, in other zones: nothing is of the machine or the map.
func TestSameBytes(t *testing.T) {
	want := written(t, sample(t), render.HTML, render.Markdown)
	for _, zone := range []*time.Location{time.FixedZone("x", 5*3600+1800), time.FixedZone("y", -11*3600)} {
		p := sample(t)
		p.AsOf.Time = p.AsOf.Time.In(zone)
		newest := p.AsOf.Newest.In(zone)
		p.AsOf.Newest = &newest
		if got := written(t, p, render.HTML, render.Markdown); !reflect.DeepEqual(got, want) {
			t.Errorf("the pages of %s differ", zone)
		}
	}
}
