package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/tls/secret"
)

func newSecret() *cobra.Command {
	c := &cobra.Command{
		Use:   "secret",
		Short: "Make, rotate and show the fleet secret: the file that all nodes of a fleet share",
		Long: `Every node of a fleet has the same secret file, fleet.secret_file, and derives the same keys from it, so that TLS
sessions and address-validation tokens that one node gave out hold at all of them.

A rotation takes three calls of rotate. After each the file goes to every node, and every node reloads, before the next:
first a new secret is accepted everywhere, then it is used, then the old one is refused. No connection ends.`,
		Example: `  anyedge secret new /etc/anyedge/fleet.secret
  anyedge secret rotate /etc/anyedge/fleet.secret
  anyedge secret show /etc/anyedge/fleet.secret`,
		GroupID: "node",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		newSecretAction("new FILE", "Make a file with a new secret", createSecret),
		newSecretAction("rotate FILE", "Make the next of a rotation's three steps", rotateSecret),
		newSecretAction("show FILE", "Show which secrets a file has: fingerprints, never the secrets", showSecret),
	)
	return c
}

func newSecretAction(use, short string, act func(out io.Writer, file string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return act(c.OutOrStdout(), args[0]) },
	}
}

func createSecret(out io.Writer, file string) error {
	s := secret.New()
	if err := secret.Create(file, s); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, `%s: %s
Now copy it to every node of the fleet, for the user that anyedge runs as alone (mode 0600), and name it in each
configuration: fleet: {secret_file: FILE}
`, file, named(s.Describe()[0]))
	return err
}

func rotateSecret(out io.Writer, file string) error {
	old, err := secret.Load(file)
	if err != nil {
		return err
	}
	s, step := old.Rotate()
	if err := secret.Replace(file, s); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, rotated[step], named(changed(old, s, step)), file)
	return err
}

// rotated is what to say after each step, of a secret and a file.
var rotated = map[secret.Step]string{
	secret.Added: `added %s as next: nodes will accept it, and not use it yet
Now copy %s to every node and reload each. When anyedge status lists the new secret on all of them, call rotate again.
`,
	secret.Promoted: `promoted %s to current: nodes will use it, and go on accepting the one before
Now copy %s to every node and reload each. QUIC tokens follow when a node restarts: restart the nodes one
after the other when it suits you. A week after the last, no session ticket of the old secret is left: call rotate again.
`,
	secret.Dropped: `dropped %s: nodes will no longer accept it
Now copy %s to every node and reload each. The rotation is complete.
`,
}

// changed is the secret that a step was about.
func changed(old, s *secret.Set, step secret.Step) secret.Description {
	role := map[secret.Step]secret.Role{secret.Added: secret.Next, secret.Promoted: secret.Current, secret.Dropped: secret.Previous}[step]
	if step == secret.Dropped {
		s = old
	}
	for _, d := range s.Describe() {
		if d.Role == role {
			return d
		}
	}
	return secret.Description{}
}

func showSecret(out io.Writer, file string) error {
	s, err := secret.Load(file)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range s.Describe() {
		fmt.Fprintf(w, "%s\t%s\n", d.Role, named(d))
	}
	return w.Flush()
}

func named(d secret.Description) string {
	return fmt.Sprintf("secret %d, fingerprint %s", d.Number, d.Fingerprint)
}
