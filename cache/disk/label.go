package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
)

// The label, file anyedge.disk, says what the directory is: magic, version, seed, CRC32C. It is written first, and never
// changed. A directory with none, a damaged one, or that of another version holds nothing that can be read: what is
// ours in it is removed, and nothing else.
const (
	labelName    = "anyedge.disk"
	labelSize    = 24
	labelMagic   = 0x4b53494445594e41 // "ANYEDISK"
	labelVersion = 1
	lockName     = "anyedge.lock"
	tempSuffix   = ".tmp"
)

// errLabel is a label that isn't of this version.
var errLabel = errors.New("not a disk of this version")

func appendLabel(b []byte, s seed) []byte {
	at := len(b)
	le := binary.LittleEndian
	b = le.AppendUint64(b, labelMagic)
	b = le.AppendUint32(b, labelVersion)
	b = le.AppendUint64(b, uint64(s))
	return le.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

func parseLabel(b []byte) (seed, error) {
	le := binary.LittleEndian
	if len(b) != labelSize || le.Uint64(b) != labelMagic || le.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) {
		return 0, errLabel
	}
	if version := le.Uint32(b[8:]); version != labelVersion {
		return 0, fmt.Errorf("%w: version %d", errLabel, version)
	}
	return seed(le.Uint64(b[12:])), nil
}

// identify reads the label. Where there is no good one it clears the directory and writes a new one.
func (v *volume) identify() error {
	list, err := v.fs.ReadDir(v.path)
	if err != nil {
		return err
	}
	if has(list, labelName) {
		b, err := v.readFile(labelName, labelSize+1)
		if err != nil {
			return err
		}
		if v.seed, err = parseLabel(b); err == nil {
			return nil
		}
		v.log.Warn("the directory is begun anew", "error", err)
	}
	if err := v.clear(list); err != nil {
		return err
	}
	v.seed = seed(rand.Uint64())
	return v.writeFile(labelName, appendLabel(nil, v.seed))
}

func has(list []fs.DirEntry, name string) bool {
	for _, e := range list {
		if e.Name() == name {
			return true
		}
	}
	return false
}

// clear removes the files that are ours.
func (v *volume) clear(list []fs.DirEntry) error {
	for _, e := range list {
		_, segment := segmentSerial(e.Name())
		if !segment && e.Name() != notesName && !isTemp(e.Name()) {
			continue
		}
		if err := v.fs.Remove(filepath.Join(v.path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a file of at most limit bytes.
func (v *volume) readFile(name string, limit int64) ([]byte, error) {
	f, err := v.fs.Open(filepath.Join(v.path, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(size, limit))
	return b, readFull(f, b, 0)
}

// writeFile replaces a file as a whole, so that either all of it or the old one survives.
func (v *volume) writeFile(name string, b []byte) error {
	temp := filepath.Join(v.path, name+tempSuffix)
	f, err := v.fs.Open(temp)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := v.fs.Rename(temp, filepath.Join(v.path, name)); err != nil {
		return err
	}
	return v.fs.SyncDir(v.path)
}

// isTemp tells whether a file is one that writeFile began.
func isTemp(name string) bool { return name == labelName+tempSuffix || name == notesName+tempSuffix }
