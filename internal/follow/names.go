package follow

import (
	"slices"
	"strings"

	"tracksource/attribution"
	"tracksource/schemas/avro"
)

// namesMax bounds the texts and lists that are known again. What is more is kept for each
// deal of its own.
const namesMax = 1 << 16

// names are what the deals that are read together have in common: partners, channels,
// assets, stages, currencies. Each is in memory once for all of them. Nothing that it
// returned may be changed.
type names struct {
	texts  map[string]string
	lists  map[string][]string
	id     []byte // of the list that is looked for
	firsts []int  // 0, 1, 2 and so on

	// passing is where each deal is read into that is its reader's until the next one; nil
	// where deals stay.
	passing *Deal
}

// room is a list of a deal for so many, nil for none where the deal stays. Of a deal that
// passes the list of the one before is used again.
func room[T any](n *names, of []T, size int) []T {
	switch {
	case n.passing != nil:
		return slices.Grow(of[:0], size)[:size]
	case size == 0:
		return nil
	}
	return make([]T, size)
}

// name is a text that many deals have.
func (n *names) name(text string) string {
	if text == "" {
		return ""
	}
	if known, ok := n.texts[text]; ok {
		return known
	}
	if n.texts == nil {
		n.texts = map[string]string{}
	}
	text = strings.Clone(text)
	if len(n.texts) < namesMax {
		n.texts[text] = text
	}
	return text
}

// own is a text that, of a deal that stays, does not hold on to the record that it was read
// from: the texts of a record are parts of one, and the least of them would keep it all.
func (n *names) own(text string) string {
	if n.passing != nil {
		return text
	}
	return strings.Clone(text)
}

// list is a list of partners.
func (n *names) list(of []string) []string {
	if len(of) == 0 {
		return nil
	}
	n.id = n.id[:0]
	for _, text := range of {
		n.id = append(append(n.id, text...), 0)
	}
	if known, ok := n.lists[string(n.id)]; ok && len(known) == len(of) {
		return known
	}
	list := make([]string, len(of))
	for i := range of {
		list[i] = n.name(of[i])
	}
	if n.lists == nil {
		n.lists = map[string][]string{}
	}
	if len(n.lists) < namesMax {
		n.lists[string(n.id)] = list
	}
	return list
}

// path are places of touches. Those of most measures are the first ones, and share one
// list.
func (n *names) path(places []int32) []int {
	if len(places) == 0 {
		return nil
	}
	first := true
	for i, place := range places {
		first = first && int(place) == i
	}
	if !first {
		out := make([]int, len(places))
		for i, place := range places {
			out[i] = int(place)
		}
		return out
	}
	for len(n.firsts) < len(places) {
		n.firsts = append(n.firsts, len(n.firsts))
	}
	return n.firsts[:len(places):len(places)]
}

func (n *names) item(i avro.FactsItem) attribution.ItemID {
	return attribution.ItemID{Reporter: n.name(i.Reporter), Source: n.name(i.Source), Item: n.own(i.Item)}
}

func (n *names) items(of []avro.FactsItem) []attribution.ItemID {
	if len(of) == 0 {
		return nil
	}
	out := make([]attribution.ItemID, len(of))
	for i, item := range of {
		out[i] = n.item(item)
	}
	return out
}
