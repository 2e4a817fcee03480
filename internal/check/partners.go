package check

import (
	"maps"
	"reflect"
	"slices"

	"tracksource/contract"
	"tracksource/schemas/avro"
)

// standing folds the upserts of one topic of contributions to the rows that stand
// in it.
func standing(rows []At[Row], fell func(r *At[Row], from int64)) map[avro.ContributionKey]*avro.ContributionRow {
	stand := map[avro.ContributionKey]*avro.ContributionRow{}
	versions := map[avro.ContributionKey]int64{}
	for i := range rows {
		r := &rows[i]
		row := r.Value.Row
		if row == nil {
			delete(stand, r.Value.Key)
			continue
		}
		if row.Version <= versions[r.Value.Key] {
			fell(r, versions[r.Value.Key])
		}
		versions[r.Value.Key] = row.Version
		if stand[r.Value.Key] = row; row.IsDeleted {
			delete(stand, r.Value.Key)
		}
	}
	return stand
}

// partners holds the topic of each partner against that of all: it has the same
// rows as far as the newest revision of their contract lets the partner see them,
// and no others.
func (v *verifier) partners() {
	all := standing(v.in.Rows, func(*At[Row], int64) {}) // said of all rows elsewhere
	for _, partner := range slices.Sorted(maps.Keys(v.in.PartnerRows)) {
		own := standing(v.in.PartnerRows[partner], func(r *At[Row], from int64) {
			v.problem("rows of %s: %s went from version %d to %d at %d@%d", partner, keyText(r.Value.Key), from, r.Value.Row.Version, r.Partition, r.Offset)
		})
		v.report.PartnerRows += len(own)
		for _, key := range inOrder(own) {
			switch row := all[key]; {
			case !v.sees(partner, &key):
				v.problem("rows of %s: its contract does not let it see %s", partner, keyText(key))
			case row == nil:
				v.problem("rows of %s: %s is not among the rows of all", partner, keyText(key))
			case !reflect.DeepEqual(row, own[key]):
				v.problem("rows of %s: %s is %+v there and %+v among the rows of all", partner, keyText(key), *own[key], *row)
			}
		}
		for _, key := range inOrder(all) {
			if own[key] == nil && v.sees(partner, &key) {
				v.problem("rows of %s: %s is missing", partner, keyText(key))
			}
		}
	}
}

func inOrder(rows map[avro.ContributionKey]*avro.ContributionRow) []avro.ContributionKey {
	return slices.SortedFunc(maps.Keys(rows), func(a, b avro.ContributionKey) int {
		if a, b := keyText(a), keyText(b); a < b {
			return -1
		} else if a > b {
			return 1
		}
		return 0
	})
}

// sees reports whether a partner may see a row. What is proposed for a campaign is
// for those who have signed what is agreed.
func (v *verifier) sees(partner string, key *avro.ContributionKey) bool {
	campaign, _ := contract.CampaignOfBook(key.Contract)
	revisions := v.contracts[campaign]
	if len(revisions) == 0 {
		return false
	}
	for _, p := range revisions[len(revisions)-1].contract.Partners {
		if p.ID == partner {
			return p.Visibility == contract.VisibilityOpen || key.Partner == partner
		}
	}
	return false
}
