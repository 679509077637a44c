package bgp

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxPassword is what Linux takes as a TCP MD5 key (TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

// readPassword reads a TCP MD5 password (RFC 2385). The line's end isn't part of it.
func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		var pathErr *os.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the file's name is in our own text
		}
		return "", fmt.Errorf("password_file %s: %w", file, err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	switch {
	case password == "":
		return "", fmt.Errorf("password_file %s: is empty; its first line is the password", file)
	case len(password) > maxPassword:
		return "", fmt.Errorf("password_file %s: %d octets are too long, TCP MD5 takes at most %d", file, len(password), maxPassword)
	case strings.ContainsAny(password, "\r\n\x00"):
		return "", fmt.Errorf("password_file %s: must hold a single line", file)
	}
	return password, nil
}
