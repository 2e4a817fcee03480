package model_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracksource/attribution/model"
	"tracksource/money"
)

const day = 24 * time.Hour

var conversion = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// pathOf has n touches, a day apart, the last at the conversion.
func pathOf(n int) model.Path {
	p := model.Path{At: conversion}
	for i := range n {
		p.Touches = append(p.Touches, model.Touch{ID: fmt.Sprintf("t%04d", i+1), At: conversion.Add(-time.Duration(n-1-i) * day), Channel: "Search"})
	}
	return p
}

// apply puts a setting of the worked examples into the spec or the path.
func apply(t *testing.T, s *model.Spec, p *model.Path, key, text string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	list := strings.Split(text, ",")
	at := func() time.Time {
		place, err := strconv.Atoi(text)
		must(err)
		return p.Touches[place-1].At
	}
	switch key {
	case "days":
		for i := range p.Touches {
			days, err := strconv.Atoi(list[i])
			must(err)
			p.Touches[i].At = p.At.Add(-time.Duration(days) * day)
		}
	case "channels":
		for i := range p.Touches {
			p.Touches[i].Channel = list[i]
		}
	case "lead":
		p.Lead = at()
	case "opportunity":
		p.Opportunity = at()
	case "closed":
		p.Closed = at()
	default:
		must(s.Set(key, text))
	}
}

func cents(t *testing.T, text string) int64 {
	t.Helper()
	a, err := money.Parse(text, "USD")
	if err != nil {
		t.Fatal(err)
	}
	return a.Minor
}

// TestWorkedExamples recomputes what others print.
func TestWorkedExamples(t *testing.T) {
	data, err := os.ReadFile("testdata/worked-examples.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		cases++
		settings := words[2:]
		end := slices.IndexFunc(settings, func(w string) bool { return !strings.Contains(w, "=") })
		value, want := settings[end], settings[end+1:]
		spec, p, within := model.Spec{Model: model.Name(words[1])}, pathOf(len(want)), int64(0)
		for _, setting := range settings[:end] {
			key, text, _ := strings.Cut(setting, "=")
			if key == "within" {
				within = cents(t, text)
				continue
			}
			apply(t, &spec, &p, key, text)
		}
		if err := spec.Check(); err != nil {
			t.Errorf("%s%v", line, err)
		}
		for i, part := range money.Allocate(cents(t, value), model.Weights(spec, p)) {
			if off := part - cents(t, want[i]); off > within || off < -within {
				t.Errorf("%stouch %d gets %s", line, i+1, money.Format(part, 2))
			}
		}
	}
	if cases != 33 {
		t.Fatalf("%d cases were read", cases)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]model.Name{
		"first-touch": model.FirstTouch, "First Touch": model.FirstTouch, "last_touch": model.LastTouch,
		"multi_touch": model.MultiTouch, "Multi Touch": model.MultiTouch, "U-shaped": model.PositionBased, "inverse_j": model.InverseJ,
	} {
		if got, err := model.ParseName(text); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
	for _, n := range model.Names() {
		if got, err := model.ParseName(string(n)); got != n || err != nil {
			t.Errorf("%q is %q, %v", n, got, err)
		}
	}
	if _, err := model.ParseName("best-touch"); err == nil || !strings.Contains(err.Error(), "first-touch, ") {
		t.Errorf("an unknown name: %v", err)
	}
}
