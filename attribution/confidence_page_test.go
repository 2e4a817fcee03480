package attribution_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"tracksource/attribution"
	"tracksource/contract"
	"tracksource/money"
)

const confidencePage = "../docs/confidence.md"

// TestConfidencePage computes the worked example of the page from the contract and the
// facts that it shows.
func TestConfidencePage(t *testing.T) {
	data, err := os.ReadFile(confidencePage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```.*?```\n(.*?)```").FindStringSubmatch(page)
	c, err := contract.Parse([]byte(blocks[1]))
	if err != nil {
		t.Fatal(err)
	}
	var s script
	for line := range strings.SplitSeq(strings.TrimSpace(blocks[2]), "\n") {
		s.add(t, line)
	}
	result := attribution.Book(under(c), &s.rates, s.journey)
	var sure, certain []string
	for _, x := range result.Conversions {
		k := x.Confidence
		sure = append(sure, fmt.Sprintf("| `%s` | %d | %d | %d | %d | %d | %d |\n", x.Measure, k.Identity, k.Taxonomy, k.Currency, k.Agreement, k.Spread, k.Overall))
		for _, l := range x.Lines {
			if x.Measure != attribution.MeasurePipelineCreated {
				continue
			}
			row := fmt.Sprintf("| %s, %s |", l.Partner, l.Channel)
			for _, minor := range l.Minor {
				row += fmt.Sprintf(" %s of %s |", money.Format(k.Of(minor), x.Exponent), money.Format(minor, x.Exponent))
			}
			certain = append(certain, row+"\n")
		}
	}
	rewritten := withRows(withRows(page, "| measure |", sure), "| `pipeline_created` |", certain)
	if *update {
		if err := os.WriteFile(confidencePage, []byte(rewritten), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if rewritten != page {
		t.Errorf("%s has another example than comes of it:\n%s", confidencePage, rewritten[strings.LastIndex(rewritten, "| measure |"):])
	}
}

// withRows replaces the rows of the table whose head begins so.
func withRows(page, head string, rows []string) string {
	from := strings.LastIndex(page, "\n"+head) + 1
	lines := strings.SplitAfter(page[from:], "\n")
	end := 2
	for end < len(lines) && strings.HasPrefix(lines[end], "|") {
		end++
	}
	return page[:from] + strings.Join(lines[:2], "") + strings.Join(rows, "") + strings.Join(lines[end:], "")
}
