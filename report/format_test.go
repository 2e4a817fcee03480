package report_test

import (
	"math/big"
	"testing"

	"tracksource/report"
)

func TestFormats(t *testing.T) {
	v := func(text string) report.Value { return value(t, text) }
	percent, _ := report.PercentOf(v("1"), v("3"))
	for _, c := range []struct{ got, want string }{
		{report.Money(v("1234567.8"), "EUR"), "EUR 1,234,567.80"},
		{report.Money(v("-999.5"), "EUR"), "EUR -999.50"},
		{report.Money(v("1000"), "JPY"), "JPY 1,000"},
		{report.Money(v("1.5"), "KWD"), "KWD 1.500"},
		{report.Money(v("1.25"), "ZZZ"), "ZZZ 1.25"},
		{report.MoneyAbout(v("1234.5"), "EUR"), "EUR 1,235"},
		{report.MoneyAbout(v("-1234.5"), "EUR"), "EUR -1,235"},
		{report.MoneyAbout(v("-0.4"), "EUR"), "EUR 0"},
		{report.Count(v("12")), "12"},
		{report.Count(v("1000.333333")), "1,000.33"},
		{report.Count(v("0.666667")), "0.67"},
		{report.Number(-1234567), "-1,234,567"},
		{report.Counted(1, "deal", "deals"), "1 deal"},
		{report.Counted(0, "deal", "deals"), "0 deals"},
		{report.Counted(2000, "deal", "deals"), "2,000 deals"},
		{report.Percent(big.NewRat(1, 8)), "12.5%"},
		{report.Percent(big.NewRat(1, 1)), "100%"},
		{report.Percent(big.NewRat(20, 1)), "2,000%"},
		{report.Percent(big.NewRat(-1, 10000)), "0%"},
		{percent, "33.3%"},
		{report.Times(big.NewRat(11, 4)), "2.75x"},
		{report.Times(big.NewRat(10, 1)), "10x"},
		{report.Days(big.NewRat(1, 1)), "1 day"},
		{report.Days(big.NewRat(25, 2)), "12.5 days"},
		{report.Days(new(big.Rat)), "0 days"},
		{report.Delta(v("112.5"), v("100")), "up 12.5%"},
		{report.Delta(v("97"), v("100")), "down 3%"},
		{report.Delta(v("100"), v("100")), "unchanged"},
		{report.Delta(v("3"), v("0")), "up from 0"},
		{report.Delta(v("-3"), v("0")), "down from 0"},
		{report.Shown(report.MoneyColumn, "1234.5", "EUR"), "EUR 1,234.50"},
		{report.Shown(report.RatioColumn, "0.2512", ""), "25.1%"},
		{report.Shown(report.DaysColumn, "1", ""), "1 day"},
		{report.Shown(report.CountColumn, "", ""), ""},
		{report.Shown(report.CountColumn, "few", ""), "few"},
		{report.Shown(report.TextColumn, "1234", ""), "1234"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if text, ok := report.PercentOf(v("1"), v("0")); ok {
		t.Errorf("a part of nothing is %q", text)
	}
}
