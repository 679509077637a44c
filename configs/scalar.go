package configs

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/anyedge/anyedge/cache/governor"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	addrType     = reflect.TypeFor[netip.Addr]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	amountType   = reflect.TypeFor[governor.Amount]()
)

// isScalarType says whether t is written as one word.
func isScalarType(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return t == addrType || t == prefixType || t == amountType
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		return false
	default:
		return true
	}
}

// scalar decodes one word into v.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path, unit string) {
	want := wanted(v.Type(), unit)
	switch {
	case n.Kind == yaml.MappingNode && (v.Type() == addrType || v.Type() == prefixType):
		d.wrong(n, path, "must be "+want+", in quotes where a colon ends it")
	case n.Kind != yaml.ScalarNode:
		d.wrong(n, path, "must be "+want+", not "+kindOf(n))
	case !setScalar(v, n.Value, unit):
		d.wrong(n, path, fmt.Sprintf("%q is not %s%s", shorten(n.Value), want, hint(v.Type(), unit, n.Value)))
	}
}

// wanted is what the operator should write.
func wanted(t reflect.Type, unit string) string {
	switch {
	case t == durationType:
		return "a duration such as 250ms, 10s or 1d"
	case t == addrType:
		return "an address such as 192.0.2.1 or 2001:db8::1"
	case t == prefixType:
		return "a prefix such as 198.51.100.0/24 or 2001:db8:100::/48"
	case t == amountType:
		return "a size such as 512MiB, or a percentage such as 50%"
	case unit == "size":
		return "a size such as 512MiB"
	case unit == "ratio":
		return "a percentage such as 2%"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float64:
		return "a number"
	}
	if t.Bits() == 64 {
		return "a whole number"
	}
	low, high := bounds(t)
	return fmt.Sprintf("a whole number from %s to %s", low, high)
}

// bounds are the least and the greatest number that fit t, an integer's type.
func bounds(t reflect.Type) (low, high string) {
	bits := t.Bits()
	if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
		return "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	}
	most := int64(math.MaxInt64) >> (64 - bits)
	return strconv.FormatInt(-most-1, 10), strconv.FormatInt(most, 10)
}

// hint helps with what people write by habit.
func hint(t reflect.Type, unit, s string) string {
	_, err := strconv.ParseFloat(s, 64)
	number := err == nil
	switch {
	case t == prefixType:
		if a, err := netip.ParseAddr(s); err == nil && plainAddr(a) {
			return fmt.Sprintf("; did you mean %s?", netip.PrefixFrom(a, a.BitLen()))
		}
	case t == addrType:
		return addrHint(s)
	case t == durationType && number:
		return "; did you mean " + s + "s?"
	case unit == "ratio" && number:
		return "; did you mean " + s + "%?"
	case t.Kind() == reflect.Bool:
		return map[string]string{"yes": "; did you mean true?", "on": "; did you mean true?", "no": "; did you mean false?", "off": "; did you mean false?"}[strings.ToLower(s)]
	}
	return ""
}

func addrHint(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return fmt.Sprintf("; did you mean %s?", p.Addr())
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err == nil && a.Is4In6():
		return fmt.Sprintf("; did you mean %s?", a.Unmap())
	case err == nil:
		return "; a zone is not supported"
	}
	if at, err := netip.ParseAddrPort(s); err == nil {
		return fmt.Sprintf("; did you mean %s, with the port under a key of its own?", at.Addr())
	}
	return ""
}

// plainAddr says whether a has one way of writing it, and a meaning on every host.
func plainAddr(a netip.Addr) bool { return !a.Is4In6() && a.Zone() == "" }

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err == nil && !plainAddr(a) {
		return a, errNotation
	}
	return a, err
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil && !plainAddr(p.Addr()) {
		return p, errNotation
	}
	return p, err
}

func setScalar(v reflect.Value, s, unit string) (ok bool) {
	switch {
	case v.Type() == durationType:
		return assign(v, s, parseDuration)
	case v.Type() == addrType:
		return assign(v, s, parseAddr)
	case v.Type() == prefixType:
		return assign(v, s, parsePrefix)
	case v.Type() == amountType:
		return assign(v, s, parseAmount)
	case unit == "size":
		return assign(v, s, parseSize)
	case unit == "ratio":
		return assign(v, s, parseRatio)
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(s == "true")
		return s == "true" || s == "false"
	case reflect.String:
		v.SetString(s)
		return true
	case reflect.Float64:
		return assign(v, s, parseFloat)
	default:
		return setInteger(v, s)
	}
}

func setInteger(v reflect.Value, s string) bool {
	if v.CanUint() {
		u, err := strconv.ParseUint(s, 10, v.Type().Bits())
		if err == nil {
			v.SetUint(u)
		}
		return err == nil
	}
	i, err := strconv.ParseInt(s, 10, v.Type().Bits())
	if err == nil {
		v.SetInt(i)
	}
	return err == nil
}

// assign sets v to what parse makes of s; v keeps its default where that is nothing.
func assign[T any](v reflect.Value, s string, parse func(string) (T, error)) bool {
	x, err := parse(s)
	if err != nil {
		return false
	}
	v.Set(reflect.ValueOf(x).Convert(v.Type()))
	return true
}
