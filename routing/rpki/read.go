package rpki

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Read reads a file of VRPs and keeps those that cover one of the prefixes: of hundreds of thousands some few. The file
// is JSON, as rpki-client and Routinator write it, an object with the array "roas", or CSV with a line of names and the
// columns ASN, IP Prefix and Max Length. The error names the entry that can't be read: half a file proves nothing.
func Read(r io.Reader, prefixes []netip.Prefix) (VRPs, error) {
	b := bufio.NewReader(r)
	keep := keeper{prefixes: prefixes}
	first, err := firstOctet(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read VRPs: %w", err)
	case first == '{':
		err = keep.json(b)
	default:
		err = keep.csv(b)
	}
	if err != nil {
		return nil, fmt.Errorf("read VRPs: entry %d: %w", keep.entries+1, err)
	}
	if keep.entries == 0 {
		return nil, errors.New("read VRPs: the file has none: is the relying party done with its first run?")
	}
	return keep.kept, nil
}

// firstOctet skips white space and looks at what comes.
func firstOctet(b *bufio.Reader) (byte, error) {
	for {
		c, err := b.ReadByte()
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			return c, b.UnreadByte()
		}
	}
}

// keeper keeps the entries that matter.
type keeper struct {
	prefixes []netip.Prefix
	entries  int // read
	kept     VRPs
}

// add takes one entry. maxLength is 0 where the file gives none: then it is the prefix's own, RFC 6482 §3.3.
func (k *keeper) add(prefix, asn string, maxLength int) error {
	v := VRP{MaxLength: maxLength}
	var err error
	if v.Prefix, err = netip.ParsePrefix(prefix); err != nil {
		return err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(asn), "AS"), 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not an AS number", asn)
	}
	v.ASN = uint32(n)
	if v.MaxLength == 0 {
		v.MaxLength = v.Prefix.Bits()
	}
	if v.MaxLength < v.Prefix.Bits() || v.MaxLength > v.Prefix.Addr().BitLen() {
		return fmt.Errorf("%s: a max length of %d is none", v.Prefix, v.MaxLength)
	}
	k.entries++
	for _, p := range k.prefixes {
		if covers(v.Prefix, p) {
			k.kept = append(k.kept, v)
			break
		}
	}
	return nil
}

// json reads an object whose "roas" are the entries, without holding them all.
func (k *keeper) json(r io.Reader) error {
	d := json.NewDecoder(r)
	if _, err := d.Token(); err != nil { // the brace that was seen
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if name != "roas" {
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return err
			}
			continue
		}
		if err := k.array(d); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (k *keeper) array(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(errors.New(`"roas" is not an array`), err)
	}
	for d.More() {
		var e struct {
			Prefix    string          `json:"prefix"`
			MaxLength int             `json:"maxLength"`
			ASN       json.RawMessage `json:"asn"` // a number, or "AS64496"
		}
		if err := d.Decode(&e); err != nil {
			return err
		}
		if err := k.add(e.Prefix, strings.Trim(string(e.ASN), `"`), e.MaxLength); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// csv reads lines whose columns the first line names.
func (k *keeper) csv(r io.Reader) error {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return err
	}
	at, err := columns(head)
	if err != nil {
		return err
	}
	for {
		line, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(line) <= max(at[0], at[1], at[2]) {
			return errors.New("the line has too few columns")
		}
		length, err := strconv.Atoi(line[at[2]])
		if err != nil && line[at[2]] != "" {
			return fmt.Errorf("%q is not a length", line[at[2]])
		}
		if err := k.add(line[at[1]], line[at[0]], length); err != nil {
			return err
		}
	}
}

// columns finds ASN, prefix and max length in a line of names.
func columns(head []string) (at [3]int, err error) {
	for i, want := range []string{"asn", "ip prefix", "max length"} {
		at[i] = -1
		for j, name := range head {
			if strings.EqualFold(strings.TrimSpace(name), want) {
				at[i] = j
			}
		}
		if at[i] < 0 {
			return at, fmt.Errorf("neither JSON nor CSV with a column %q", want)
		}
	}
	return at, nil
}
