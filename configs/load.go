package configs

import (
	"fmt"
	"io"
	"os"
	"reflect"
)

// Load reads and parses the file at path. Its error is Mistakes unless the file can't be read. A VIP that serves HTTPS
// needs a certificate in the configuration.
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
	return parse(path, data, true)
}

// Parse reads data, which came from file: a name for mistakes only. Its error is Mistakes. Unlike Load it takes a VIP
// that serves HTTPS without any certificate in the configuration, for callers that bring one of their own.
func Parse(file string, data []byte) (*Config, error) { return parse(file, data, false) }

func parse(file string, data []byte, certificates bool) (*Config, error) {
	d := newDecoder(file)
	root := d.document(data)
	if root == nil {
		return nil, d.result()
	}
	cfg := new(Config)
	d.config(root, cfg)
	d.validate(cfg)
	if certificates {
		d.validateCertificates(cfg)
	}
	if err := d.result(); err != nil {
		return nil, err
	}
	cfg.places = d.places()
	return cfg, nil
}

// Decode reads a file that isn't a node's configuration into v, a pointer to an options struct, as strictly as Parse reads
// a node's. Its error is Mistakes.
func Decode(file string, data []byte, v any) error {
	d := newDecoder(file)
	d.foreign = true
	root := d.document(data)
	if root == nil {
		return d.result()
	}
	d.value(root, reflect.ValueOf(v).Elem(), "", "", 0)
	return d.result()
}
