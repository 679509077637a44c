package configs

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds on what a file may make of itself by aliases: each use of one counts anew.
const (
	maxNodes = 1 << 18
	maxDepth = 64
)

type (
	defaulter interface{ SetDefaults() }
	checker   interface {
		Check(report func(key, problem string))
	}
)

// decoder walks YAML nodes and Go values side by side and collects every mistake.
type decoder struct {
	file      string
	mistakes  Mistakes
	told      map[told]bool
	positions map[string]*yaml.Node // the value of each key that the file has, by path
	parents   map[string]string     // by path: names have dots of their own
	bad       map[string]bool       // paths with a mistake: nothing more is said of them
	unknowns  map[*yaml.Node]string // unknown keys, and which key each means
	nodes     int
	foreign   bool // not a node's configuration: its schema and its reference don't help
}

func newDecoder(file string) *decoder {
	return &decoder{
		file: file, told: map[told]bool{},
		positions: map[string]*yaml.Node{}, parents: map[string]string{}, bad: map[string]bool{},
		unknowns: map[*yaml.Node]string{},
	}
}

// child is the path of a key or an index below path.
func (d *decoder) child(path, key string) string {
	at := join(path, key)
	d.parents[at] = path
	return at
}

// parent is the path without its last key or index.
func (d *decoder) parent(path string) string {
	if p, ok := d.parents[path]; ok {
		return p
	}
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(path, key string) string {
	if path == "" || key == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

// index is the key of the i-th item of a list.
func index(i int) string { return fmt.Sprintf("[%d]", i) }

func (d *decoder) config(root *yaml.Node, cfg *Config) {
	d.value(root, reflect.ValueOf(cfg).Elem(), "", "", 0)
}

// value decodes n into v, which is settable.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path, unit string, depth int) {
	if n = d.resolve(n, depth); n == nil {
		return
	}
	d.positions[path] = n
	if isNull(n) {
		d.wrong(n, path, "is empty: give it a value, or leave the key out")
		return
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.wrong(n, path, fmt.Sprintf("has the tag %s: tags are not supported", shorten(n.Tag)))
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if n.Kind == yaml.ScalarNode && d.text(n, v, path) {
		return
	}
	switch {
	case isScalarType(v.Type()):
		d.scalar(n, v, path, unit)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path, depth)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, path, depth)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path, unit, depth)
	}
}

// resolve follows an alias and keeps the bounds; nil after reporting that one was passed.
func (d *decoder) resolve(n *yaml.Node, depth int) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.nodes++
	switch {
	case d.full() || d.bad[""]:
		return nil
	case d.nodes > maxNodes || depth > maxDepth:
		d.wrong(n, "", "is too large or too deep: do aliases multiply?")
		return nil
	}
	return n
}

// text lets a type that has a short form read it from a scalar.
func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) bool {
	if isScalarType(v.Type()) || v.Kind() == reflect.String {
		return false
	}
	u, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	if !ok {
		return false
	}
	if err := u.UnmarshalText([]byte(n.Value)); err != nil {
		d.wrong(n, path, err.Error())
	}
	return true
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string, depth int) {
	setDefaults(v)
	if n.Kind != yaml.MappingNode {
		d.wrong(n, path, "must be a mapping of keys to values, not "+kindOf(n))
		return
	}
	fields := fieldsOf(v.Type())
	var meant []string
	d.pairs(n, path, func(key, value *yaml.Node) {
		f, ok := fields[key.Value]
		if !ok {
			meant = append(meant, d.unknown(key, path, fields))
			return
		}
		at := d.child(path, key.Value)
		if f.later != "" {
			d.positions[at] = value
			d.wrong(key, at, "not supported yet: "+f.later)
			return
		}
		d.value(value, v.FieldByIndex(f.index), at, f.unit, depth+1)
	})
	for _, name := range meant { // that it is missing would say the same again
		if at := join(path, name); name != "" && d.positions[at] == nil {
			d.bad[at] = true
		}
	}
	// What the file leaves out has defaults and checks of its own.
	for name, f := range fields {
		if field := v.FieldByIndex(f.index); d.positions[join(path, name)] == nil && field.Kind() == reflect.Struct && !isScalarType(field.Type()) && path == "" {
			setDefaults(field)
			d.check(field, name)
		}
	}
	d.check(v, path)
}

func setDefaults(v reflect.Value) {
	if s, ok := v.Addr().Interface().(defaulter); ok {
		s.SetDefaults()
	}
}

func (d *decoder) check(v reflect.Value, path string) {
	if c, ok := v.Addr().Interface().(checker); ok {
		c.Check(func(key, problem string) { d.report(join(path, key), problem) })
	}
}

// pairs calls f for each key that comes once, in the file's order.
func (d *decoder) pairs(n *yaml.Node, path string, f func(key, value *yaml.Node)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, shorten(key.Value))
		switch line := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.Value == "":
			d.aside(key, path, "has a key that is not a word")
		case key.Style&yaml.TaggedStyle != 0:
			d.aside(key, at, fmt.Sprintf("has the tag %s: tags are not supported", shorten(key.Tag)))
		case key.Value == "<<" && key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0:
			d.aside(key, at, "merge keys are not supported: write the keys out, or use an alias for the whole value")
		case line != 0:
			d.aside(key, at, fmt.Sprintf("is a duplicate: line %d has it already", line))
		default:
			lines[key.Value] = key.Line
			f(key, value)
		}
	}
}

// unknown tells of a key that can't be there, and returns the one that is meant, if that can be told. Aliases bring it
// here again; it is looked up once.
func (d *decoder) unknown(key *yaml.Node, path string, fields map[string]field) (meant string) {
	if meant, again := d.unknowns[key]; again {
		return meant
	}
	at := join(path, shorten(key.Value))
	meant = nearest(key.Value, slices.Collect(maps.Keys(fields)))
	switch {
	case meant != "":
		d.aside(key, at, fmt.Sprintf("unknown key; did you mean %q?", meant))
	case d.foreign:
		d.aside(key, at, "unknown key")
	default:
		d.aside(key, at, "unknown key"+elsewhere(key.Value, path))
	}
	d.unknowns[key] = meant
	return meant
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, path, "must be a mapping of names to values, not "+kindOf(n))
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	d.pairs(n, path, func(key, value *yaml.Node) {
		at := d.child(path, key.Value)
		k, problem := mapKey(key.Value, v.Type().Key())
		if problem != "" {
			d.wrong(key, at, problem)
			return
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(value, element, at, "", depth+1)
		v.SetMapIndex(k, element)
	})
}

func mapKey(s string, t reflect.Type) (reflect.Value, string) {
	if t.Kind() == reflect.String {
		return reflect.ValueOf(s).Convert(t), ""
	}
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		return reflect.Value{}, "must be a whole number"
	}
	return reflect.ValueOf(n).Convert(t), ""
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path, unit string, depth int) {
	switch n.Kind {
	case yaml.SequenceNode:
	case yaml.ScalarNode:
		d.wrong(n, path, fmt.Sprintf("must be a list: write [%s]", shorten(n.Value)))
		return
	default:
		d.wrong(n, path, "must be a list, such as [a, b], not "+kindOf(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, list.Index(i), d.child(path, index(i)), unit, depth+1)
	}
	v.Set(list)
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(shorten(n.Value))
	}
}

// shorten keeps messages readable whatever the file holds.
func shorten(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// field is a key of a struct.
type field struct {
	index []int
	unit  string
	later string
}

// fieldsOf are the keys of t, with those of its inlined structs.
func fieldsOf(t reflect.Type) map[string]field {
	fields := map[string]field{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case options == "inline":
			for k, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields[k] = inner
			}
		case name != "":
			fields[name] = field{index: []int{i}, unit: f.Tag.Get("unit"), later: f.Tag.Get("later")}
		}
	}
	return fields
}
