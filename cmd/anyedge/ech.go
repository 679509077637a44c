package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	edgetls "github.com/anyedge/anyedge/tls"
)

func newECH() *cobra.Command {
	c := &cobra.Command{
		Use:   "ech",
		Short: "Make and show keys of Encrypted Client Hello, which hides the host that a client asks for",
		Long: `With Encrypted Client Hello (RFC 9849) an observer of a handshake sees a public name in place of the host that is
asked for. Every node of a fleet has the same key files, tls.ech_keys, and DNS tells clients of the key, in the HTTPS
records of the hosts. The first file is the one that clients with an old key are told of; the others are accepted.`,
		Example: `  anyedge ech new --public-name ech.example.com /etc/anyedge/ech-1.pem
  anyedge ech show /etc/anyedge/ech-1.pem`,
		GroupID: "node",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var name string
	create := &cobra.Command{
		Use: "new --public-name NAME FILE", Short: "Make a file with a new key", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return createECH(c.OutOrStdout(), name, args[0]) },
	}
	create.Flags().StringVar(&name, "public-name", "", "what an observer sees; it needs a certificate on the nodes")
	_ = create.MarkFlagRequired("public-name") // fails only for a flag that isn't there
	show := &cobra.Command{
		Use: "show FILE...", Short: "Show what the HTTPS records need, never the key", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return showECH(c.OutOrStdout(), args) },
	}
	c.AddCommand(create, show)
	return c
}

func createECH(out io.Writer, name, file string) error {
	k, err := edgetls.NewECH(name)
	if err != nil {
		return usageError{err}
	}
	if err := k.Create(file); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `%s: made
Now copy it to every node, for the user that anyedge runs as alone (mode 0600), and name it in each configuration:
tls: {ech_keys: [%s]}
When all have it, put this parameter into the HTTPS records of the hosts:
ech=%s
`, file, file, base64.StdEncoding.EncodeToString(k.List()))
	return err
}

func showECH(out io.Writer, files []string) error {
	for _, file := range files {
		k, err := edgetls.LoadECH(file)
		if err != nil {
			return err
		}
		list := base64.StdEncoding.EncodeToString(k.List())
		if _, err := fmt.Fprintf(out, "%s: config %d, public name %s\nHOST. 3600 IN HTTPS 1 . alpn=h3,h2 ech=%s\n",
			file, k.ID(), strings.Join(k.PublicNames(), ", "), list); err != nil {
			return err
		}
	}
	return nil
}
