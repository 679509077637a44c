package disk

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// abandon lets go of what open took.
func (v *volume) abandon() {
	for _, g := range v.segments.list() {
		g.close()
	}
	v.notes.close()
	if v.lock != nil {
		unlock(v.lock)
	}
}

// writeOut ends the queue and writes what is in it as long as ctx allows; written is closed when the writer has ended.
func (v *volume) writeOut(ctx context.Context) (written <-chan struct{}, err error) {
	v.queue.close()
	ended := make(chan struct{})
	go func() { // ends with the writer
		v.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		v.halt()
		err = errors.Join(err, v.await(ended))
	}
	return ended, err
}

// close writes what is queued as long as ctx allows.
func (v *volume) close(ctx context.Context) error {
	written, err := v.writeOut(ctx)
	v.end()
	idle := make(chan struct{})
	go func() { // ends with the readers
		v.aux.Wait()
		close(idle)
	}()
	if hung := errors.Join(v.await(written), v.await(idle)); hung != nil {
		return errors.Join(err, hung)
	}
	v.abandon()
	return err
}

// release writes what is queued as long as ctx allows, and lets go of the directory. What is loaded can still be read.
func (v *volume) release(ctx context.Context) error {
	_, err := v.writeOut(ctx)
	if errors.Is(err, errHung) {
		return err // whoever has the directory next must not meet a write of this process's
	}
	v.notes.release()
	if v.lock != nil {
		unlock(v.lock)
		v.lock = nil
	}
	return err
}

// errHung is a disk that still doesn't answer. What waits for it is left to the end of the process.
var errHung = errors.New("close the disk: an operation doesn't end")

// await waits for what only the disk can hold up.
func (v *volume) await(done <-chan struct{}) error {
	timer := time.NewTimer(v.slow)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: %s", errHung, v.path)
	}
}
