package proxy

import (
	"net/http"
	"strconv"
	"time"
)

// hstsField tells clients to ask a host by HTTPS alone from now on (RFC 6797, section 6.1).
const hstsField = "Strict-Transport-Security"

// HSTSOptions is the `hsts` key of a site.
type HSTSOptions struct {
	MaxAge            time.Duration `yaml:"max_age"` // how long clients keep to HTTPS; 0: they forget it
	IncludeSubdomains bool          `yaml:"include_subdomains"`
	// Preload agrees to be in the lists that browsers come with.
	Preload bool `yaml:"preload"`
}

// hstsYear is how long browsers' lists ask for.
const hstsYear = 365 * 24 * time.Hour

// SetDefaults sets the values that serve when the configuration is silent.
func (o *HSTSOptions) SetDefaults() { *o = HSTSOptions{MaxAge: hstsYear} }

// Check reports every value that can't be right.
func (o *HSTSOptions) Check(report func(key, problem string)) {
	if o.MaxAge < 0 || o.MaxAge%time.Second != 0 {
		report("max_age", "must be whole seconds, 0 to make clients forget it")
	}
	if o.Preload && (!o.IncludeSubdomains || o.MaxAge < hstsYear) {
		report("preload", "needs include_subdomains and a max_age of 365d at least: browsers' lists take nothing less")
	}
}

// value is that of the field; empty where there is none.
func (o *HSTSOptions) value() string {
	if o == nil {
		return ""
	}
	v := "max-age=" + strconv.FormatInt(int64(o.MaxAge/time.Second), 10)
	if o.IncludeSubdomains {
		v += "; includeSubDomains"
	}
	if o.Preload {
		v += "; preload"
	}
	return v
}

// hstsLine is the field as a line, for hits; empty where there is none.
func hstsLine(value string) string {
	if value == "" {
		return ""
	}
	return hstsField + ": " + value + "\r\n"
}

// addHSTS puts the site's field into a response that begins, in the place of the origin's.
func (w *recorder) addHSTS() {
	if w.hsts != "" {
		w.Header()[hstsField] = []string{w.hsts}
	}
}

// ownHSTS takes the origin's field out of a response that the site has its own for.
func (f *Forwarder) ownHSTS(h http.Header) {
	if f.hsts {
		delete(h, hstsField)
	}
}
