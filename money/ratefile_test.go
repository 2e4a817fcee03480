package money_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tracksource/money"
)

const ecbHistory = "Date,USD,JPY,CYP,BGN,\n2026-03-02,1.0843,161.72,N/A,1.9558,\n2026-02-27,1.0795,N/A,0.5842,1.9558,\n"

const ecbDaily = "Date, USD, JPY, BGN, \n02 March 2026, 1.0843, 161.72, 1.9558, \n"

const ecbXML = `<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
	<Cube>
		<Cube time='2026-03-02'>
			<Cube currency='USD' rate='1.0843'/>
			<Cube currency='JPY' rate='161.72'/>
		</Cube>
		<Cube time='2026-02-27'><Cube currency='USD' rate='1.0795'/></Cube>
	</Cube>
</gesmes:Envelope>`

func TestParseRateFile(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"history", ecbHistory, "2026-02-27 EUR/BGN 1.9558, 2026-02-27 EUR/USD 1.0795, 2026-03-02 EUR/BGN 1.9558, 2026-03-02 EUR/JPY 161.72, 2026-03-02 EUR/USD 1.0843; unknown CYP"},
		{"one day", ecbDaily, "2026-03-02 EUR/BGN 1.9558, 2026-03-02 EUR/JPY 161.72, 2026-03-02 EUR/USD 1.0843; unknown "},
		{"byte order mark", "\ufeff" + ecbDaily, "2026-03-02 EUR/BGN 1.9558, 2026-03-02 EUR/JPY 161.72, 2026-03-02 EUR/USD 1.0843; unknown "},
		{"XML", ecbXML, "2026-02-27 EUR/USD 1.0795, 2026-03-02 EUR/JPY 161.72, 2026-03-02 EUR/USD 1.0843; unknown "},
		{"pairs", "base,quote,day,rate\nUSD,EUR,2026-03-02,0.92\r\nGBP, USD, 2026-03-01, 1.27\n", "2026-03-01 GBP/USD 1.27, 2026-03-02 USD/EUR 0.92; unknown "},
		{"a day twice: the later line corrects", "base,quote,day,rate\nUSD,EUR,2026-03-02,0.92\nUSD,EUR,2026-03-02,0.93\n", "2026-03-02 USD/EUR 0.93; unknown "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := money.ParseRateFile([]byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, r := range f.Rates {
				all = append(all, fmt.Sprintf("%s %s/%s %s", r.Day, r.Base, r.Quote, r.Text))
			}
			if got := strings.Join(all, ", ") + "; unknown " + strings.Join(f.Unknown, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseRateFileRefuses(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"nothing", "", "line 1 has no header"},
		{"another header", "when,what\n1,2\n", "line 1: the header is neither"},
		{"a day that is none", "Date,USD\n2026-02-30,1.08\n", "line 2: "},
		{"a rate that is none", "Date,USD\n2026-03-02,abc\n", "line 2: USD: "},
		{"a rate of zero", "Date,USD\n2026-03-02,0\n", "line 2: USD: "},
		{"a rate of 1e400", "base,quote,day,rate\nUSD,EUR,2026-03-02,1e400\n", "line 2: "},
		{"a currency that is none", "base,quote,day,rate\nUSD,EURO,2026-03-02,1\n", "line 2: "},
		{"against itself", "base,quote,day,rate\nUSD,USD,2026-03-02,1\n", "line 2: "},
		{"columns are missing", "base,quote,day,rate\nUSD,EUR,2026-03-02\n", "line 2: "},
		{"too many columns", "Date,USD\n2026-03-02,1.1,1.2\n", "line 2: "},
		{"other XML", "<html><body/></html>", "it is not the European Central Bank's"},
		{"cut off XML", ecbXML[:400], "XML syntax error"},
		{"quotes", "Date,USD\n\"2026-03-02,1.1\n", "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := money.ParseRateFile([]byte(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && !errors.Is(err, money.ErrRate) && !errors.Is(err, money.ErrCurrency) && !errors.Is(err, money.ErrDay) {
				t.Errorf("error %v is of no kind", err)
			}
		})
	}
}

func FuzzParseRateFile(f *testing.F) {
	for _, seed := range []string{ecbHistory, ecbDaily, ecbXML, "base,quote,day,rate\nUSD,EUR,2026-03-02,0.92\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := money.ParseRateFile(data)
		if err != nil {
			return
		}
		var set money.Rates
		for _, r := range file.Rates {
			if err := set.Set(r.Base, r.Quote, r.Day, r.Text); err != nil {
				t.Fatalf("%+v: %v", r, err)
			}
		}
	})
}
