// Command track-source is the operator's and analyst's tool: it runs the demo,
// keeps the topics as they are described and checks the books.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tracksource/internal/daemon"
)

// Exit codes: what must be mended on the command line is exitUsage.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

func main() {
	ctx, stop := daemon.Signals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is an error of the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// run is the whole tool; tests call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return tool{}.run(ctx, args, stdout, stderr)
}

// tool is what the tool has of the world beside its arguments.
type tool struct {
	// wait waits between the tries of a pull; nil waits by the clock.
	wait func(context.Context, time.Duration) error
	// packageBytes bounds a package that is pulled; 0 is packageBytesMax.
	packageBytes int64
	// completing is how long the shell waits for names of campaigns; 0 is completeTimeout.
	completing time.Duration
}

func (tool tool) run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	packaging := reportFlags{stdout: stdout, stderr: stderr, wait: tool.wait, bytesMax: cmp.Or(tool.packageBytes, packageBytesMax), completing: cmp.Or(tool.completing, completeTimeout)}
	again := packaging // report has flags of its own
	root := &cobra.Command{
		Use:   "track-source",
		Short: "Attribute a joint campaign's pipeline and revenue to its partners",
		Long: "track-source attributes pipeline and revenue of a joint campaign to partners, channels,\n" +
			"assets and regions as each partner's events arrive.\n\n" +
			"With flags and no command it makes the reporting package of a campaign, as track-source report does.",
		Example: "  track-source demo\n  track-source " + reportExample +
			"  track-source demo --once --json\n  track-source topics plan --bootstrap-servers 127.0.0.1:9092 --feed crm.acme",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().NFlag() == 0 {
				return cmd.Help()
			}
			return packaging.run(cmd)
		},
	}
	packaging.bind(root)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(reportCommand(&again), planCommand(stdout, stderr), demoCommand(stdout, stderr), topicsCommand(stdout), fsckCommand(stdout, stderr), checkCommand(stdout, stderr), deadletterCommand(stdout, stderr),
		sendCommand(stdout, stderr), contractCommand(stdout, stderr), fxCommand(stdout, stderr), accountsCommand(stdout, stderr), mappingCommand(stdout, stderr),
		eraseCommand(stdout, stderr), overlapCommand(stdout, stderr), taxonomyCommand(stdout), schemaCommand(stdout), attributeCommand(stdout), tokenCommand(stdout),
		explainCommand(stdout), reconcileCommand(stdout), disputeCommand(stdout, stderr), periodCommand(stdout, stderr), signCommand(stdout, stderr),
		alertsCommand(stdout, stderr), surveyCommand(stdout, stderr))
	root.AddCommand(amountsCommands(stdout, stderr)...)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		_, _ = fmt.Fprintf(stderr, "%s: %v (see %s --help)\n", cmd.CommandPath(), err, cmd.CommandPath())
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", cmd.CommandPath(), err)
	return exitFail
}

// noArgs refuses arguments; of a command with subcommands it is an unknown one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		if cmd.HasSubCommands() {
			return usageError{fmt.Errorf("unknown command %q", args[0])}
		}
		return usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}
