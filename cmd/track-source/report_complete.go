package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tracksource/attribution/model"
	"tracksource/internal/answer"
	"tracksource/report"
)

const (
	// completeTimeout is how long somebody who pressed the tab key waits.
	completeTimeout  = time.Second
	completeBytesMax = 4 << 20
)

// complete adds what the shell offers for flags. Campaigns are those of the reporter,
// if it answers at once.
func (f *reportFlags) complete(cmd *cobra.Command) {
	offers := map[string]cobra.CompletionFunc{
		"campaign":   f.campaignNames,
		"window":     offer(append(report.Windows(), answer.WindowCampaign)),
		"detail":     offer([]string{string(report.Full), string(report.Summary)}),
		"dimensions": offerList(answer.PackageDimensions()), "format": offerList(formatNames()),
		"attribution-model": offer(modelNames()),
		"timeout":           cobra.NoFileCompletions, "as-of": cobra.NoFileCompletions, "reporter": cobra.NoFileCompletions,
		"plan-dir": directories, "out": directories,
	}
	for name, of := range offers {
		if err := cmd.RegisterFlagCompletionFunc(name, of); err != nil {
			panic("complete " + name + ": " + err.Error()) // there is no such flag
		}
	}
}

func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func offer(words []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// offerList offers each word behind those that are written, but those.
func offerList(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, written string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := written[:strings.LastIndex(written, ",")+1]
		var out []cobra.Completion
		for _, w := range words {
			if !slices.Contains(strings.Split(before, ","), w) {
				out = append(out, before+w)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveKeepOrder
	}
}

// modelNames are all models that have a name outside of a contract, and the agreed one
// of any.
func modelNames() []string {
	names := []string{"multi-touch"}
	for _, n := range model.Names() {
		if string(n) != names[0] {
			names = append(names, string(n))
		}
	}
	return names
}

func (f *reportFlags) campaignNames(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	data, err := f.send(cmd.Context(), question{path: "api/v1/contracts", query: url.Values{}, timeout: f.completing, bytesMax: completeBytesMax})
	if err != nil {
		return nil, none
	}
	var a answer.ContractsAnswer
	if json.Unmarshal(data, &a) != nil {
		return nil, none
	}
	var out []cobra.Completion
	for _, c := range a.Contracts {
		out = append(out, cobra.CompletionWithDesc(printable(c.Campaign), printable(c.Name)))
	}
	return out, none
}
