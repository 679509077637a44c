package secret_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/tls/secret"
)

func TestParseReadsWhatAppendWrites(t *testing.T) {
	s := secret.New()
	for range 4 {
		text := s.Append(nil)
		again := parse(t, string(text))
		if !bytes.Equal(again.Append(nil), text) || !takes(again, makes(s)) || !takes(s, makes(again)) {
			t.Fatalf("%s\nwas read as\n%s", text, again.Append(nil))
		}
		s, _ = s.Rotate()
	}
}

func TestParseIsLenientAboutSpace(t *testing.T) {
	s := parse(t, "# ours\r\n\r\n  anyedge-fleet-secret 1\r\n\tcurrent   1  "+strings.ToUpper(digits(0xabc))+"  \r\n# end")
	if d := s.Describe(); len(d) != 1 || d[0].Role != secret.Current {
		t.Errorf("%+v", d)
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	const head = "anyedge-fleet-secret 1\n"
	one, two := digits(1), digits(2)
	for _, c := range []struct{ text, want string }{
		{"", `FILE: is empty: its first line must be "anyedge-fleet-secret 1"`},
		{"# nothing\n\n", "FILE: is empty"},
		{"hello\n", `FILE:1: must be "anyedge-fleet-secret 1": make the file with anyedge secret new`},
		{"#\nanyedge-fleet-secret 2\n", "FILE:2: is of another version of the format"},
		{head, "FILE: has no current secret"},
		{head + "next 2 " + two, "FILE: has no current secret"},
		{head + head, "FILE:2: must have three words"},
		{head + "current 1", "FILE:2: must have three words"},
		{head + "current 1 " + one + " x", "FILE:2: must have three words"},
		{head + "Current 1 " + one, "FILE:2: must begin with previous, current or next"},
		{head + "current 1 " + one + "\ncurrent 2 " + two, "FILE:3: has a second current secret"},
		{head + "current -1 " + one, "FILE:2: has a second word that isn't a number"},
		{head + "current 4294967296 " + one, "FILE:2: has a second word that isn't a number"},
		{head + "current 1 " + one[1:], "FILE:2: has a secret of 63 characters, not 64: was the file cut off or joined?"},
		{head + "current 1 " + one + "0", "FILE:2: has a secret of 65 characters"},
		{head + "current 1 g" + one[1:], "FILE:2: has a secret that isn't hexadecimal"},
		{head + "current 1 " + digits(0), "FILE:2: has a secret of zeros"},
		{head + "current 1 " + one + "\nnext 3 " + two, "FILE: the next secret's number must be that after"},
		{head + "current 3 " + one + "\nprevious 1 " + two, "FILE: the previous secret's number must be that before"},
		{head + "current 1 " + one + "\nnext 2 " + one, "FILE: has the same secret twice"},
		{head + "previous 0 " + one + "\ncurrent 1 " + one, "FILE: has the same secret twice"},
		{strings.Repeat("#\n", 9000), "FILE: has more than 16384 octets"},
	} {
		_, err := secret.Parse("FILE", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.90q: %v, want %s", c.text, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), one[2:]) || strings.Contains(err.Error(), two[2:])) {
			t.Errorf("the error gives a secret away: %v", err)
		}
	}
}

// A file that was cut off anywhere is refused, or has lost whole lines.
func TestParseEveryTruncation(t *testing.T) {
	s, _ := secret.New().Rotate()
	text := s.Append(nil)
	for n := range text {
		cut, err := secret.Parse("FILE", text[:n])
		whole := n > 0 && text[n-1] == '\n' || text[n] == '\n'
		if err == nil && (!whole || !takes(s, makes(cut))) {
			t.Errorf("the first %d octets of\n%s\nwere taken", n, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	s := secret.New()
	for range 3 {
		f.Add(s.Append(nil))
		s, _ = s.Rotate()
	}
	f.Add([]byte("anyedge-fleet-secret 1\nprevious 4294967295 " + digits(1) + "\ncurrent 0 " + digits(2) + "\nnext 1 " + digits(3)))
	f.Add([]byte("anyedge-fleet-secret 1\ncurrent 1 " + digits(1) + "\r\n#\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := secret.Parse("FILE", content)
		if err != nil {
			if s != nil || !strings.HasPrefix(err.Error(), "FILE:") {
				t.Errorf("%v with %v", s, err)
			}
			return
		}
		text := s.Append(nil)
		again, err := secret.Parse("FILE", text)
		if err != nil || !bytes.Equal(again.Append(nil), text) {
			t.Errorf("%q was written as %q and then: %v", content, text, err)
		}
		rotated, _ := s.Rotate()
		if !takes(rotated, makes(s)) || !takes(s, makes(rotated)) {
			t.Errorf("a step of a rotation of %q loses something", content)
		}
	})
}
