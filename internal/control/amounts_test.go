package control_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"tracksource/internal/control"
	"tracksource/schemas/avro"
)

func TestParseAmounts(t *testing.T) {
	at := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	got, err := control.ParseAmounts(control.Spend, "tour", []byte("\ufeffDay, payer,partner,channel,amount,currency\n2026-03-01,acme,globex,Email,1250.50,eur\n2026-03-02,acme,,,,EUR\n"), at)
	if err != nil {
		t.Fatal(err)
	}
	want := []avro.AmountRecord{
		{Campaign: "tour", Day: "2026-03-01", Partner: "globex", Payer: "acme", Channel: "Email", Amount: "1250.50", Currency: "EUR", RecordedAt: at},
		{Campaign: "tour", Day: "2026-03-02", Payer: "acme", Currency: "EUR", RecordedAt: at},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	got, err = control.ParseAmounts(control.Target, "tour", []byte("day,partner,measure,amount,currency\n2026-06-30,acme,,100000,USD\n2026-06-30,acme,won,12,\n"), at)
	if err != nil || len(got) != 2 || got[0].Measure != "pipeline_created" || got[1].Measure != "won" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAmountsRefused(t *testing.T) {
	const spend, target = "day,payer,partner,amount,currency\n", "day,partner,measure,amount,currency\n"
	tests := []struct{ kind, file, want string }{
		{control.Spend, "", "line 1 has no header: day,partner,"},
		{control.Spend, "day,amount,currency\n", "line 1: column payer is missing"},
		{control.Spend, "day,payer,amount,currency,colour\n", `line 1: unknown column "colour"`},
		{control.Spend, "day,day\n", "column day comes twice"},
		{control.Spend, spend + "2026-13-01,acme,,1,EUR\n", "line 2: "},
		{control.Spend, spend + "2026-03-01,,,1,EUR\n", "line 2: payer is missing"},
		{control.Spend, spend + "2026-03-01,acme,,1,ZZZ\n", "line 2: "},
		{control.Spend, spend + "2026-03-01,acme,,NaN,EUR\n", "line 2: "},
		{control.Spend, spend + "2026-03-01,acme,,1e3,EUR\n", "line 2: amount 1e3: write all its digits"},
		{control.Spend, spend + "2026-03-01,acme,,1.005,EUR\n", "line 2: amount 1.005 has more than 2 decimal places"},
		{control.Spend, spend + "2026-03-01,acme,,-1,EUR\n", "line 2: amount -1 is negative"},
		{control.Spend, spend + "2026-03-01,acme,x,1,EUR\n\n2026-03-01,acme,x,2,EUR\n", "line 4: the same day and names as line 2: give their sum"},
		{control.Spend, spend + "2026-03-01,acme,,1,EUR,more\n", "line 2: 6 columns under a header of 5"},
		{control.Spend, spend + "2026-03-01," + strings.Repeat("x", 300) + ",,1,EUR\n", "line 2: a name of 300 bytes, at most 200"},
		{control.Target, target + "2026-03-01,acme,reach,1,EUR\n", "line 2: reach are counted and have no currency"},
		{control.Target, target + "2026-03-01,acme,quota,1,\n", "line 2: "},
		{control.Target, target + "2026-03-01,acme,joy,1,EUR\n", `line 2: measure "joy", there are pipeline_created, `},
		{control.Target, target + "2026-03-01,acme,won,1,EUR\n", "line 2: won are counted and have no currency"},
		{control.Target, target + "2026-03-01,acme,won,1.5,\n", "line 2: amount 1.5 has more than 0 decimal places"},
		{control.Target, target + "2026-03-01,acme,revenue,1,\n", "line 2: "},
	}
	for _, tt := range tests {
		records, err := control.ParseAmounts(tt.kind, "tour", []byte(tt.file), time.Unix(1, 0))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %q gives %v, %v, want %q", tt.kind, tt.file, records, err, tt.want)
		}
	}
	many := spend + strings.Repeat("never,acme,,1,EUR\n", 30)
	if _, err := control.ParseAmounts(control.Spend, "tour", []byte(many), time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "and 10 more lines") {
		t.Errorf("thirty bad lines give %v", err)
	}
}

func FuzzParseAmounts(f *testing.F) {
	f.Add([]byte("day,payer,partner,channel,asset,amount,currency\n2026-03-01,acme,globex,Email,guide,1.5,EUR\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := control.ParseAmounts(control.Cost, "tour", data, time.Unix(1, 0))
		if err != nil {
			return
		}
		for i := range records {
			c := avro.Control{Kind: control.Cost, Amount: &records[i]}
			if _, err := control.Judge(&c, past{}); err != nil {
				t.Errorf("%+v is read and refused: %v", records[i], err)
			}
		}
	})
}
