package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds a configuration file, in bytes: ten thousand sites take some 2 MiB.
const maxFile = 32 << 20

// Load reads and parses the file at path. Its error is Mistakes unless the file can't be read.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	cfg, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if mistakes := needCertificates(path, cfg); len(mistakes) > 0 {
		return nil, mistakes
	}
	return cfg, nil
}

// Parse reads data, which came from file: a name for mistakes only. Its error is Mistakes. Unlike Load it takes a VIP
// that serves HTTPS without any certificate in the configuration, for callers that bring one of their own.
func Parse(file string, data []byte) (*Config, error) { return parse(file, data) }

func parse(file string, data []byte) (*Config, error) {
	d := newDecoder(file)
	root := d.document(data)
	if root == nil {
		return nil, d.mistakes
	}
	cfg := new(Config)
	d.config(root, cfg)
	d.validate(cfg)
	if len(d.mistakes) > 0 {
		d.mistakes.sort()
		return nil, d.mistakes
	}
	return cfg, nil
}

const minimal = `a minimal one has node, vips, origins and sites: see configs/README.md`

// document returns the one document's content, or nil after reporting why there is none.
func (d *decoder) document(data []byte) *yaml.Node {
	if len(data) > maxFile {
		d.add(1, 1, "", fmt.Sprintf("is larger than %d MiB: is this a configuration file?", maxFile>>20))
		return nil
	}
	in := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := in.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.add(1, 1, "", "is empty: "+minimal)
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := in.Decode(&more); {
	case err == nil:
		d.add(more.Line, more.Column, "", "begins a second document: a node has one")
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || isNull(doc.Content[0]) {
		d.add(1, 1, "", "is empty: "+minimal)
		return nil
	}
	return doc.Content[0]
}

func (d *decoder) syntax(err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		d.add(1, 1, "", "is not YAML: "+err.Error())
		return
	}
	text := e.Message
	if e.ContextMsg != "" {
		text = e.ContextMsg + ": " + text
	}
	d.add(max(e.Mark.Line, 1), max(e.Mark.Column, 1), "", "is not YAML: "+text)
}
