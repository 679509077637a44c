package encoding

import "fmt"

// Options configures content coding towards clients. It is the `cache.encoding` key of the configuration.
type Options struct {
	// Off encodes nothing. In the configuration: `encoding: off`.
	Off bool `yaml:"-"`
	// Codings are those that are made, in the order of preference among those that a client weighs alike: br, zstd, gzip.
	Codings []string `yaml:"codings"`
	// Types are the media types that are encoded: whole ones, TYPE/* or *+SUFFIX.
	Types []string `yaml:"types"`
	// MinSize and MaxSize bound the contents that are encoded, in bytes, as far as their length is known. A smaller one fits
	// into one packet anyway.
	MinSize int64 `yaml:"min_size" unit:"size"`
	MaxSize int64 `yaml:"max_size" unit:"size"`
	// Levels are the efforts for what is encoded once and stored.
	Levels Levels `yaml:"levels"`
	// Streams is how many contents may be encoded at a time as they pass; more pass as they are. Each takes up to 2 MiB
	// of memory. What is stored is encoded by at most half of the processors at a time.
	Streams int `yaml:"streams"`
}

// Levels are the encoders' efforts, each on its coding's own scale.
type Levels struct {
	Brotli int `yaml:"br"`   // 0 to 11
	Zstd   int `yaml:"zstd"` // 1 to 22
	Gzip   int `yaml:"gzip"` // 1 to 9
}

// fast are the levels for contents that pass: a client waits, and nobody else gets what comes out.
var fast = Levels{Brotli: 2, Zstd: 1, Gzip: 4}

// UnmarshalText reads the short form, `off`.
func (o *Options) UnmarshalText(b []byte) error {
	if string(b) != "off" {
		return fmt.Errorf("%q is neither off nor a mapping", b)
	}
	*o = Options{Off: true}
	return nil
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		Codings: []string{"br", "zstd", "gzip"}, MinSize: 1 << 10, MaxSize: 8 << 20, Streams: 64,
		Levels: Levels{Brotli: 5, Zstd: 6, Gzip: 6},
		Types: []string{
			"text/*", "*+json", "*+xml", "*+text", "application/json", "application/x-ndjson", "application/javascript",
			"application/x-javascript", "application/xml", "application/wasm", "application/vnd.apple.mpegurl",
			"application/vnd.ms-fontobject", "font/ttf", "font/otf", "image/bmp", "image/vnd.microsoft.icon", "image/x-icon",
		},
	}
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Off {
		return
	}
	o.checkCodings(report)
	for i, pattern := range o.Types {
		if problem := checkType(pattern); problem != "" {
			report(fmt.Sprintf("types[%d]", i), fmt.Sprintf("%q %s", pattern, problem))
		}
	}
	if o.MinSize < 0 {
		report("min_size", "must not be negative")
	}
	if o.MaxSize < max(o.MinSize, 1) {
		report("max_size", "must be above 0, and not below min_size")
	}
	if o.Streams < 0 {
		report("streams", "must not be negative")
	}
	o.Levels.check(report)
}

func (o *Options) checkCodings(report func(key, problem string)) {
	if len(o.Codings) == 0 {
		report("codings", "must name one at least; say encoding: off to encode nothing")
	}
	seen := make(map[string]bool)
	for i, name := range o.Codings {
		key := fmt.Sprintf("codings[%d]", i)
		switch {
		case name != "br" && name != "zstd" && name != "gzip":
			report(key, fmt.Sprintf("%q is none of br, zstd and gzip", name))
		case seen[name]:
			report(key, fmt.Sprintf("%q is there twice", name))
		}
		seen[name] = true
	}
}

func (l *Levels) check(report func(key, problem string)) {
	for _, level := range []struct {
		key             string
		value, min, max int
	}{{"levels.br", l.Brotli, 0, 11}, {"levels.zstd", l.Zstd, 1, 22}, {"levels.gzip", l.Gzip, 1, 9}} {
		if level.value < level.min || level.value > level.max {
			report(level.key, fmt.Sprintf("must be from %d to %d", level.min, level.max))
		}
	}
}

// Order returns the codings in the order of preference; none when Off.
func (o *Options) Order() (order []Coding) {
	if o.Off {
		return nil
	}
	for _, name := range o.Codings {
		if c, ok := parse(name); ok && c != Identity {
			order = append(order, c)
		}
	}
	return order
}
