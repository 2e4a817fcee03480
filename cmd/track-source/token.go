package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tracksource/internal/api"
)

func tokenCommand(stdout io.Writer) *cobra.Command {
	var (
		name, partner string
		operator      bool
	)
	cmd := &cobra.Command{
		Use: "token", Short: "Make an access token for the reporter's page and API",
		Long: "token draws an access token and prints it, once, with the line that lets it in: put the line into\n" +
			"the reporter's --access-file, which takes it in without a restart, and give the token to its holder.\n" +
			"The line has only what the token hashes to. Taking the line out ends the token and its sessions.\n\n" +
			"A partner's token sees what the visibility of its contracts allows, an operator's everything.",
		Example: "  track-source token --name acme-dashboards --partner acme\n" +
			"  track-source token --name ann --operator",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case name == "":
				return usageError{errors.New("--name says whose token it is, such as acme-dashboards")}
			case operator == (partner != ""):
				return usageError{errors.New("give either --partner or --operator")}
			}
			token, grant, err := api.NewToken(rand.Reader, name, partner)
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintf(stdout, "token, shown this once:\n  %s\nline for the access file:\n%s\n", token, grant.Line())
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose token it is, for who reads the access file")
	cmd.Flags().StringVar(&partner, "partner", "", "the partner whose eyes it has")
	cmd.Flags().BoolVar(&operator, "operator", false, "it sees everything")
	return cmd
}
