package disk

import "log/slog"

// What tests put faults into.
type (
	FileSystem = fileSystem
	File       = file
	RealFS     = osFS
)

// OpenOn opens a store on another file system.
func OpenOn(o Options, log *slog.Logger, fs FileSystem) (*Store, error) { return openOn(o, log, fs) }
