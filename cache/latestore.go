package cache

import (
	"context"
	"errors"
	"sync/atomic"
)

// errNoStoreYet is a store that another process still has.
var errNoStoreYet = errors.New("the disk is still the former process's")

// lateStore is a Store that holds nothing until it has one behind it.
type lateStore struct{ store atomic.Pointer[Store] }

func (l *lateStore) get() Store {
	if s := l.store.Load(); s != nil {
		return *s
	}
	return noStore{}
}

func (l *lateStore) Has(id ID) bool { return l.get().Has(id) }

func (l *lateStore) Load(ctx context.Context, id ID, key string) []Record {
	return l.get().Load(ctx, id, key)
}

func (l *lateStore) Put(r Record, done func(written bool)) bool { return l.get().Put(r, done) }

func (l *lateStore) Delete(id ID) { l.get().Delete(id) }

func (l *lateStore) Note(sequence uint64, note []byte) error { return l.get().Note(sequence, note) }

func (l *lateStore) Notes() [][]byte { return l.get().Notes() }

func (l *lateStore) Oldest() uint64 { return l.get().Oldest() }

func (l *lateStore) Forget(sequence uint64) { l.get().Forget(sequence) }

func (l *lateStore) Sequence() uint64 { return l.get().Sequence() }

func (l *lateStore) Close(ctx context.Context) error { return l.get().Close(ctx) }

// noStore holds nothing and takes nothing.
type noStore struct{}

func (noStore) Has(ID) bool { return false }

func (noStore) Load(context.Context, ID, string) []Record { return nil }

func (noStore) Put(Record, func(bool)) bool { return false }

func (noStore) Delete(ID) {}

func (noStore) Note(uint64, []byte) error { return errNoStoreYet }

func (noStore) Notes() [][]byte { return nil }

// Oldest is 0: what the store will have is as old as anything.
func (noStore) Oldest() uint64 { return 0 }

func (noStore) Forget(uint64) {}

func (noStore) Sequence() uint64 { return 0 }

func (noStore) Close(context.Context) error { return nil }
