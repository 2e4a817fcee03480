package report

import "fmt"

// summed are the columns that sum to a measure's total: of contributions those that are
// called as the measure, and those here.
func summed() map[string]map[string]string {
	return map[string]map[string]string{
		"worksheet": {"pipeline": "pipeline_created", "revenue": "revenue"},
	}
}

// CheckSums says where parts of the package do not sum to its totals: contributions and
// the worksheet to the total of each measure, and what is attributed with what is not.
// Tables of which something is left out or withheld from the viewer sum to nothing.
func (p *Package) CheckSums() error {
	for _, id := range []string{"totals", "totals_counts"} {
		t := p.Table(id)
		if t == nil {
			continue
		}
		for _, row := range t.Rows {
			if err := p.checkTotal(t, row); err != nil {
				return fmt.Errorf("table %s: %w", id, err)
			}
		}
	}
	return nil
}

func (p *Package) checkTotal(t *Table, row []string) error {
	cell := func(column string) string {
		if i := t.Column(column); i >= 0 && i < len(row) {
			return row[i]
		}
		return ""
	}
	measure := cell("measure")
	if cell("total") == "" {
		return nil
	}
	total, err := ParseValue(cell("total"))
	if err != nil {
		return fmt.Errorf("%s: %w", measure, err)
	}
	if cell("attributed") != "" && cell("unattributed") != "" {
		parts, err := sumOf([]string{cell("attributed"), cell("unattributed")})
		if err != nil {
			return fmt.Errorf("%s: %w", measure, err)
		}
		if parts.Cmp(total) != 0 {
			return fmt.Errorf("%s is %s, of which %s are attributed and %s are not", measure, cell("total"), cell("attributed"), cell("unattributed"))
		}
	}
	if p.Withheld {
		return nil
	}
	of := summed()
	of["contributions"] = map[string]string{measure: measure}
	for _, id := range []string{"contributions", "worksheet"} {
		parts := p.Table(id)
		for name, sums := range of[id] {
			if parts == nil || sums != measure || parts.LeftOut > 0 || parts.Column(name) < 0 {
				continue
			}
			sum, err := parts.sum(parts.Column(name))
			if err != nil {
				return fmt.Errorf("%s: %s: %w", id, name, err)
			}
			if sum.Cmp(total) != 0 {
				return fmt.Errorf("%s is %s, and %s of the table %s sums to %s", measure, cell("total"), name, id, sum.Text(0))
			}
		}
	}
	return nil
}

// sum adds a column up; what is empty adds nothing.
func (t *Table) sum(column int) (Value, error) {
	values := make([]string, 0, len(t.Rows))
	for _, row := range t.Rows {
		if column < len(row) && row[column] != "" {
			values = append(values, row[column])
		}
	}
	return sumOf(values)
}

func sumOf(values []string) (Value, error) {
	var sum Value
	for _, text := range values {
		v, err := ParseValue(text)
		if err != nil {
			return sum, err
		}
		sum = sum.Add(v)
	}
	return sum, nil
}
