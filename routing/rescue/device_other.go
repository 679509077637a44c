//go:build !linux

package rescue

import "errors"

// Missing says what this host lacks; nil: nothing.
func Missing() error { return errors.New("it needs Linux") }

func openDevice() (kernel, error) { return nil, Missing() }
