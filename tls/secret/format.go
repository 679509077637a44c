package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The format is lines of text; those that are empty or begin with # mean nothing:
//
//	anyedge-fleet-secret 1
//	current 3 0123…ef       role, number, 32 octets in hexadecimal
//	next 4 4567…ab
//
// Another first line is of another version, which is refused: half a secret is worse than none.
const header = "anyedge-fleet-secret 1"

const preamble = `# The fleet secret of anyedge. Who has it can read and forge what the nodes tell each other, and resume
# their clients' TLS sessions: keep it from everyone else. "anyedge secret rotate" writes it.
`

// maxFile bounds what is read: a file of three secrets has about 500 octets.
const maxFile = 16 << 10

// Append appends s in the format of a secret file.
func (s *Set) Append(b []byte) []byte {
	b = append(append(b, preamble...), header+"\n"...)
	for _, line := range []struct {
		role   Role
		secret *secret
	}{{Previous, s.previous}, {Current, &s.current}, {Next, s.next}} {
		if line.secret != nil {
			b = fmt.Appendf(b, "%s %d %x\n", line.role, line.secret.number, line.secret.value)
		}
	}
	return b
}

// Parse reads the content of a secret file. The error begins with name and, where it has one, the line; it never quotes
// the file, whose words may be secrets in the wrong place.
func Parse(name string, content []byte) (*Set, error) {
	p := parser{found: map[Role]*secret{}}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s: has more than %d octets: that is no secret file", name, maxFile)
	}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		if err := p.line(strings.TrimSpace(string(line))); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	s, err := p.set()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// parser is what the lines so far have said.
type parser struct {
	begun bool // the header was there
	found map[Role]*secret
}

func (p *parser) line(text string) error {
	switch {
	case text == "" || text[0] == '#':
		return nil
	case !p.begun && text == header:
		p.begun = true
		return nil
	case !p.begun && strings.HasPrefix(text, "anyedge-fleet-secret "):
		return errors.New("is of another version of the format: this anyedge reads version 1")
	case !p.begun:
		return fmt.Errorf("must be %q: make the file with anyedge secret new", header)
	}
	return p.secret(strings.Fields(text))
}

func (p *parser) secret(words []string) error {
	if len(words) != 3 {
		return errors.New("must have three words: previous, current or next; a number; 64 hexadecimal digits")
	}
	role := Role(words[0])
	if role != Previous && role != Current && role != Next {
		return errors.New("must begin with previous, current or next")
	}
	if p.found[role] != nil {
		return fmt.Errorf("has a second %s secret", role)
	}
	number, err := strconv.ParseUint(words[1], 10, 32)
	if err != nil {
		return errors.New("has a second word that isn't a number from 0 to 4294967295")
	}
	s := &secret{number: uint32(number)}
	if len(words[2]) != hex.EncodedLen(Size) {
		return fmt.Errorf("has a secret of %d characters, not %d: was the file cut off or joined?", len(words[2]), hex.EncodedLen(Size))
	}
	if _, err := hex.Decode(s.value[:], []byte(words[2])); err != nil {
		return errors.New("has a secret that isn't hexadecimal")
	}
	if s.value == [Size]byte{} {
		return errors.New("has a secret of zeros, which is none")
	}
	p.found[role] = s
	return nil
}

// set is what all lines together say.
func (p *parser) set() (*Set, error) {
	current, previous, next := p.found[Current], p.found[Previous], p.found[Next]
	switch {
	case !p.begun:
		return nil, fmt.Errorf("is empty: its first line must be %q", header)
	case current == nil:
		return nil, errors.New("has no current secret")
	case previous != nil && previous.number+1 != current.number:
		return nil, errors.New("the previous secret's number must be that before the current one's")
	case next != nil && next.number != current.number+1:
		return nil, errors.New("the next secret's number must be that after the current one's")
	case previous != nil && previous.value == current.value || next != nil && next.value == current.value:
		return nil, errors.New("has the same secret twice")
	}
	return &Set{current: *current, previous: previous, next: next}, nil
}
