package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tracksource/attribution/model"
	"tracksource/attribution/twin"
)

// attributeFlags are the texts of the command line.
type attributeFlags struct {
	in, out, lookback, halfLife, conversionTouch, by string
	models, transforms, excluded, settings           []string
}

func attributeCommand(stdout io.Writer) *cobra.Command {
	var f attributeFlags
	cmd := &cobra.Command{
		Use: "attribute", Short: "Run attribution models over journeys in a file, with no broker and no contract",
		Long: "attribute runs the same code that keeps the ledger over a file with one journey as JSON on a line:\n" +
			`  {"id":"j1","touches":[{"id":"t1","at":"2026-01-05T10:00:00Z","channel":"Paid Search","partner":"acme"}],` + "\n" +
			`   "conversions":[{"id":"c1","at":"2026-01-09T00:00:00Z","value":"100.00","currency":"USD"}]}` + "\n" +
			"Touches also take campaign, asset, region and type, and conversions lead_at, opportunity_at and closed_at.\n" +
			"A journey without conversions did not convert. All conversions are in one currency. Models are\n" +
			model.JoinNames(model.Names()) + ";\n" +
			"multi-touch is position-based here, and all is each of them, custom only if it is set. What each of them\n" +
			"does and every setting is in docs/models.md.",
		Example: "  track-source attribute --in journeys.ndjson\n" +
			"  track-source attribute --in journeys.ndjson --models all --out json\n" +
			"  track-source attribute --in journeys.ndjson --models linear,markov --by partner --transform exposure --lookback 30d\n" +
			"  track-source attribute --in - --models custom --set custom.types.form=3 --set custom.types.attendance=5",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := f.twin()
			if err != nil {
				return usageError{err}
			}
			in := cmd.InOrStdin()
			if f.in != "-" {
				file, err := os.Open(f.in)
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			if err := addLines(t, in); err != nil {
				return fmt.Errorf("%s: %w", f.in, err)
			}
			// What cannot be written whole is not begun.
			var out bytes.Buffer
			if err := t.Write(&out, f.out); err != nil {
				return err
			}
			_, err = stdout.Write(out.Bytes())
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.in, "in", "", "file of journeys, or - for standard input")
	flags.StringVar(&f.out, "out", "table", "form of the output: "+strings.Join(twin.Formats(), ", "))
	flags.StringSliceVar(&f.models, "models", []string{"first-touch", "last-touch", "multi-touch"}, "models, or all")
	flags.StringVar(&f.by, "by", "channel", "what credit is added up by: channel, partner, campaign, asset, region, type or touch")
	flags.StringVar(&f.lookback, "lookback", "90d", "how long before a conversion touches count, both bounds included")
	flags.StringVar(&f.halfLife, "half-life", "7d", "half-life of time-decay")
	flags.StringVar(&f.conversionTouch, "conversion-touch", "include", "whether a touch at the instant of the conversion counts: include or exclude")
	flags.StringArrayVar(&f.transforms, "transform", nil, "change of the path before credit is shared, such as exposure, first, trim=5 or remove-if-last-and-not-all=Direct; repeatable, in order")
	flags.StringArrayVar(&f.excluded, "exclude-channel", nil, "channel whose touches get no credit; repeatable")
	flags.StringArrayVar(&f.settings, "set", nil, "setting of a model, such as position-based.first=30%; repeatable")
	return cmd
}

// twin reads the flags; its error is one of the command line.
func (f attributeFlags) twin() (*twin.Twin, error) {
	if f.in == "" {
		return nil, errors.New("--in is missing")
	}
	if !slices.Contains(twin.Formats(), f.out) {
		return nil, fmt.Errorf("--out: %q; choose from %s", f.out, strings.Join(twin.Formats(), ", "))
	}
	c := twin.Config{By: model.Key(f.by), Credits: f.out == "json"}
	var err error
	if c.Lookback, err = model.ParseDuration(f.lookback); err != nil {
		return nil, fmt.Errorf("--lookback: %w", err)
	}
	if c.Models, err = f.chosen(); err != nil {
		return nil, err
	}
	common := model.Spec{}
	if err := common.Set("conversion_touch", f.conversionTouch); err != nil {
		return nil, fmt.Errorf("--conversion-touch: %q; write include or exclude", f.conversionTouch)
	}
	for _, text := range f.transforms {
		t, err := model.ParseTransform(text)
		if err != nil {
			return nil, fmt.Errorf("--transform: %w", err)
		}
		common.Transforms = append(common.Transforms, t)
	}
	for _, channel := range f.excluded {
		common.Exclude = append(common.Exclude, model.Exclusion{Key: model.KeyChannel, Value: channel})
	}
	halfLife, err := model.ParseDuration(f.halfLife)
	if err != nil {
		return nil, fmt.Errorf("--half-life: %w", err)
	}
	for i := range c.Models {
		s := &c.Models[i].Spec
		s.ConversionTouchExcluded, s.Transforms, s.Exclude = common.ConversionTouchExcluded, common.Transforms, common.Exclude
		if s.Model == model.TimeDecay {
			s.HalfLife = halfLife
		}
	}
	if err := f.set(c.Models); err != nil {
		return nil, err
	}
	return twin.New(c)
}

// chosen lists the models by the names that the output gives them: multi-touch
// stays what it was called.
func (f attributeFlags) chosen() ([]twin.Model, error) {
	var models []twin.Model
	for _, text := range f.models {
		if text == "all" {
			for _, n := range model.Names() {
				set := func(setting string) bool { return strings.HasPrefix(setting, "custom.") }
				if n != model.Custom || slices.ContainsFunc(f.settings, set) {
					models = append(models, twin.Model{Name: string(n), Spec: model.Spec{Model: n}})
				}
			}
			continue
		}
		name, err := model.ParseName(text)
		if err != nil {
			return nil, fmt.Errorf("--models: %w", err)
		}
		m := twin.Model{Name: string(name), Spec: model.Spec{Model: name}}
		if name == model.MultiTouch {
			m.Spec.Model = model.PositionBased
		}
		models = append(models, m)
	}
	return models, nil
}

// set puts the settings into the models that they name.
func (f attributeFlags) set(models []twin.Model) error {
	for _, text := range f.settings {
		place, value, ok := strings.Cut(text, "=")
		name, setting, dotted := strings.Cut(place, ".")
		if !ok || !dotted {
			return fmt.Errorf("--set: %q; write MODEL.SETTING=VALUE", text)
		}
		i := slices.IndexFunc(models, func(m twin.Model) bool { return m.Name == name })
		if i < 0 {
			return fmt.Errorf("--set: %s is not among the models", name)
		}
		if err := models[i].Spec.Set(setting, value); err != nil {
			return fmt.Errorf("--set: %s.%w", name, err)
		}
	}
	return nil
}

// addLines reads to the end, a line at a time.
func addLines(t *twin.Twin, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, twin.LineMax)
	n := 0
	for lines.Scan() {
		n++
		if err := t.Add(lines.Bytes()); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: is longer than %d bytes", n+1, twin.LineMax)
	}
	return lines.Err()
}
