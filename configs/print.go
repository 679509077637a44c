package configs

import (
	"encoding"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/anyedge/anyedge/cache/governor"
)

// Print writes the effective configuration: every key that has a value, defaults included, in the operator's notation.
// Parse reads it back to the same Config.
func Print(w io.Writer, cfg *Config) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(nodeOf(reflect.ValueOf(cfg).Elem(), "")); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return e.Close()
}

// nodeOf is v as YAML, or nil where v has no value.
func nodeOf(v reflect.Value, unit string) *yaml.Node {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch {
	case isScalarType(v.Type()):
		return word(format(v, unit))
	case v.Kind() == reflect.Struct:
		return structNode(v)
	case v.Kind() == reflect.Map:
		return mapNode(v)
	case v.Kind() == reflect.Slice:
		return listNode(v, unit)
	}
	return nil
}

func structNode(v reflect.Value) *yaml.Node {
	if short := shortForm(v); short != "" {
		return word(short)
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range keysInOrder(v.Type()) {
		f := fieldsOf(v.Type())[name]
		if f.later != "" {
			continue
		}
		if value := nodeOf(v.FieldByIndex(f.index), f.unit); value != nil {
			n.Content = append(n.Content, word(name), value)
		}
	}
	return filled(n)
}

// shortForm is what UnmarshalText reads to the value v, where there is such a form: a bool that no key sets.
func shortForm(v reflect.Value) string {
	u, ok := reflect.New(v.Type()).Interface().(encoding.TextUnmarshaler)
	if !ok {
		return ""
	}
	if u.UnmarshalText([]byte("off")) == nil && reflect.DeepEqual(reflect.ValueOf(u).Elem().Interface(), v.Interface()) {
		return "off"
	}
	return ""
}

// keysInOrder are the keys of t as its source orders them.
func keysInOrder(t reflect.Type) []string {
	fields := fieldsOf(t)
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(fields[a].index, fields[b].index) })
	return names
}

func mapNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range keys {
		value := nodeOf(v.MapIndex(k), "")
		if value == nil {
			value = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		}
		n.Content = append(n.Content, word(fmt.Sprint(k)), value)
	}
	return filled(n)
}

func listNode(v reflect.Value, unit string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range v.Len() {
		n.Content = append(n.Content, nodeOf(v.Index(i), unit))
	}
	return filled(n)
}

func filled(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

// word is a scalar, or nil for an empty one. What YAML would take for nothing, or for a merge key, gets quotes.
func word(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: s}
	if s == "~" || s == "<<" || strings.EqualFold(s, "null") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// format writes a scalar in the operator's notation; nothing for one that isn't set.
func format(v reflect.Value, unit string) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case netip.Addr:
		if !x.IsValid() {
			return ""
		}
		return x.String()
	case netip.Prefix:
		return x.String()
	case governor.Amount:
		return formatAmount(x)
	}
	switch {
	case unit == "size":
		return formatSize(v.Int())
	case unit == "ratio":
		return formatRatio(v.Float())
	case v.Kind() == reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return fmt.Sprint(v.Interface())
	}
}
