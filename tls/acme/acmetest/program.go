package acmetest

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

// Serve runs an authority at address, with a certificate of its own from files, until ctx ends. It tells on stderr what it
// validates.
func Serve(ctx context.Context, o Options, address, certFile, keyFile string) error {
	api, _, err := o.pebble(log.New(os.Stderr, "pebble ", 0))
	if err != nil {
		return err
	}
	s := &http.Server{Addr: address, Handler: api}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServeTLS(certFile, keyFile) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve ACME at %s: %w", address, err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close() // clients keep connections
	}
	return err
}
