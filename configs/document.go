package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Bounds on a file, so that one which isn't a configuration ends in a mistake and not in the memory.
const (
	maxFile  = 8 << 20 // octets; ten thousand sites with an origin each take some 3 MiB
	maxMarks = 1 << 18 // characters that begin a node, which takes the library about 1 KiB
)

const minimal = `a minimal one has node, vips, origins and sites: see configs/README.md`

// document returns the one document's content, or nil after telling why there is none.
func (d *decoder) document(data []byte) *yaml.Node {
	if problem := tooLarge(data); problem != "" {
		d.tell(1, 1, "", problem)
		return nil
	}
	doc, more, err := documents(data)
	switch {
	case err != nil:
		d.syntax(data, err)
	case more != nil:
		d.aside(more, "", "begins a second document: a "+d.kind()+" has one")
	case doc == nil || len(doc.Content) != 1 || isNull(doc.Content[0]):
		d.empty()
	default:
		return doc.Content[0]
	}
	return nil
}

func (d *decoder) empty() {
	if d.foreign {
		d.tell(1, 1, "", "is empty")
		return
	}
	d.tell(1, 1, "", "is empty: "+minimal)
}

// kind is what the file describes.
func (d *decoder) kind() string {
	if d.foreign {
		return "file"
	}
	return "node"
}

func tooLarge(data []byte) string {
	if len(data) > maxFile {
		return fmt.Sprintf("is larger than %s: is this a configuration file?", formatSize(maxFile))
	}
	marks := 0
	for _, c := range []string{"\n", "\r", ",", "[", "{"} {
		marks += bytes.Count(data, []byte(c))
	}
	if marks > maxMarks {
		return fmt.Sprintf("has more than %d lines and items: is this a configuration file?", maxMarks)
	}
	return ""
}

// documents returns the first document, and the second where there is one; nil for none.
func documents(data []byte) (first, second *yaml.Node, err error) {
	in, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, nil, err
	}
	if first, err = next(in); first == nil {
		return nil, nil, err
	}
	second, err = next(in)
	return first, second, err
}

func next(in *yaml.Loader) (*yaml.Node, error) {
	n := new(yaml.Node)
	switch err := in.Load(n); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return n, nil
}

// syntax tells what the library makes of data.
func (d *decoder) syntax(data []byte, err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		d.tell(1, 1, "", "is not YAML: "+err.Error())
		return
	}
	text := e.Message
	if e.ContextMsg != "" {
		text = e.ContextMsg + ": " + text
	}
	line, col := e.Mark.Line, e.Mark.Column
	if line == 0 { // the library has no place for characters that it refuses
		line, col = badCharacter(data)
	}
	d.tell(line, col, "", "is not YAML: "+text)
}

// badCharacter is the place of the first character that YAML doesn't allow (YAML 1.2.2 §5.1).
func badCharacter(data []byte) (line, col int) {
	line, col = 1, 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		switch {
		case c == utf8.RuneError && size == 1, c < ' ' && c != '\t' && c != '\n' && c != '\r', c == 0x7f:
			return line, col
		case c == '\n':
			line, col = line+1, 1
		default:
			col++
		}
		data = data[size:]
	}
	return 1, 1
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
