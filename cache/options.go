package cache

import (
	"fmt"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// Options configures the cache. It is the `cache` key of the configuration.
type Options struct {
	// Preset is how much is stored: Safe or Standard.
	Preset Preset `yaml:"preset"`
	// Memory bounds what is stored in memory and the fills in flight, in bytes, until SetMemory changes it.
	Memory int64 `yaml:"-"`
	// Eviction decides what stays in memory when not everything can.
	Eviction Eviction `yaml:"eviction"`
	// MaxObject is the largest content that is stored, in bytes; larger ones stream through.
	MaxObject int64 `yaml:"max_object" unit:"size"`
	// Slices says which contents are kept in slices, and how.
	Slices Slices `yaml:"slices"`
	// Encoding says what is encoded towards clients, and how.
	Encoding encoding.Options `yaml:"encoding"`
	// CollapseWait is how long a request waits for another one's fill to answer before it asks the origin itself.
	CollapseWait time.Duration `yaml:"collapse_wait"`
	// Targeted are the response fields that direct this cache instead of Cache-Control and Expires, the first that is
	// there and valid: RFC 9213's, and Surrogate-Control in its own syntax.
	Targeted []string `yaml:"targeted"`
	// RequestDirectives tells whether a client's own directives count; empty for what the preset says. only-if-cached
	// always does.
	RequestDirectives RequestDirectives `yaml:"request_directives"`
}

// RequestDirectives is what a client's Cache-Control and Pragma can do, RFC 9111 §5.2.1.
type RequestDirectives string

// Whether they count.
const (
	// Honour lets a client demand that its response is validated, fresher, or not stored, and accept it stale.
	Honour RequestDirectives = "honour"
	// Ignore lets no client bypass the cache.
	Ignore RequestDirectives = "ignore"
)

// honours tells whether request directives count.
func (o *Options) honours() bool {
	return o.RequestDirectives == Honour || o.RequestDirectives == "" && o.Preset == Standard
}

// Preset is a set of choices where the RFCs leave one.
type Preset string

// The presets.
const (
	// Safe stores no response that sets a cookie, and lets no request directive of a client bypass the cache.
	Safe Preset = "safe"
	// Standard stores and reuses all that RFC 9111 allows a shared cache to.
	Standard Preset = "standard"
)

// Eviction names a Residency.
type Eviction string

// The residencies, see cache/memory.
const (
	S3FIFO    Eviction = "s3-fifo"
	Ristretto Eviction = "ristretto"
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		Preset: Safe, Memory: 256 << 20, Eviction: S3FIFO, MaxObject: 64 << 20,
		Slices: Slices{Above: 8 << 20, Size: 1 << 20}, CollapseWait: 5 * time.Second,
	}
	o.Encoding.SetDefaults()
	o.Targeted = []string{"Anyedge-Cache-Control", "CDN-Cache-Control", "Surrogate-Control"}
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Preset != Safe && o.Preset != Standard {
		report("preset", fmt.Sprintf("%q is neither %q nor %q", o.Preset, Safe, Standard))
	}
	if o.Eviction != S3FIFO && o.Eviction != Ristretto {
		report("eviction", fmt.Sprintf("%q is neither %q nor %q", o.Eviction, S3FIFO, Ristretto))
	}
	if o.Memory < 1<<20 {
		report("memory", "must be at least 1MiB")
	}
	if o.MaxObject < 1 {
		report("max_object", "must be above 0")
	}
	if o.CollapseWait < 0 {
		report("collapse_wait", "must not be negative")
	}
	for i, name := range o.Targeted {
		if !httpfield.IsToken(name) {
			report(fmt.Sprintf("targeted[%d]", i), fmt.Sprintf("%q is not a field's name", name))
		} else if strings.EqualFold(name, "Cache-Control") {
			report(fmt.Sprintf("targeted[%d]", i), "counts anyway, behind the fields of this list")
		}
	}
	if d := o.RequestDirectives; d != "" && d != Honour && d != Ignore {
		report("request_directives", fmt.Sprintf("%q is neither %q nor %q", d, Honour, Ignore))
	}
}
