package configs

import (
	"encoding"
	"reflect"
	"sort"
)

// key is one key of the schema. In its path, NAME stands for any name, N for a number, and [] for each item of a list.
type key struct {
	path  string
	typ   string // as the reference calls it
	later string // what it waits for, where it is not supported yet
	value reflect.Value
}

// schema lists every key with its default, in the order of its path.
func schema() []key {
	var keys []key
	walk(reflect.New(reflect.TypeFor[Config]()).Elem(), "", func(k key) { keys = append(keys, k) })
	sort.Slice(keys, func(i, j int) bool { return keys[i].path < keys[j].path })
	return keys
}

// walk calls f for each key below v, a struct.
func walk(v reflect.Value, path string, f func(key)) {
	setDefaults(v)
	for name, field := range fieldsOf(v.Type()) {
		k := key{path: join(path, name), later: field.later, value: v.FieldByIndex(field.index)}
		if field.later == "" {
			k.typ = typeName(k.value.Type(), field.unit)
		}
		f(k)
		if field.later == "" {
			descend(k.value, k.path, f)
		}
	}
}

// descend goes on below a value that isn't a word.
func descend(v reflect.Value, path string, f func(key)) {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		descend(reflect.New(t.Elem()).Elem(), path, f)
	case isScalarType(t):
	case t.Kind() == reflect.Struct:
		walk(v, path, f)
	case t.Kind() == reflect.Slice:
		descend(reflect.New(t.Elem()).Elem(), path+"[]", f)
	case t.Kind() == reflect.Map:
		name := ".NAME"
		if t.Key().Kind() == reflect.Int {
			name = ".N"
		}
		descend(reflect.New(t.Elem()).Elem(), path+name, f)
	}
}

// typeName is the reference's word for t.
func typeName(t reflect.Type, unit string) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return "duration"
	case t == addrType:
		return "address"
	case t == amountType:
		return "size or percentage"
	case t == prefixType:
		return "prefix"
	case unit != "":
		return unit
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + typeName(t.Elem(), "")
	case reflect.Map:
		return "mapping"
	case reflect.Struct:
		if _, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok {
			return "off or mapping"
		}
		return "mapping"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "text"
	default:
		return "number"
	}
}
