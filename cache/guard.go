package cache

import (
	"mime"
	"strings"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// The guards of the preset Safe: what the RFCs let a shared cache store, but may be somebody's attempt at another's data.

// guarded tells why the preset Safe doesn't store a response that RFC 9111 lets it store; empty when it does. key is what
// it would be stored under.
func guarded(key string, p *Policy, q *request, r *received) Reason {
	switch {
	case has(r.fields, "Set-Cookie") && !setsApart(&r.control, "Set-Cookie"):
		return ReasonSetCookie
	case unkeyed(p, q.fields, r.fields):
		return ReasonUnkeyed
	case deceptive(key, r):
		return ReasonDeception
	}
	return ""
}

// unkeyedFields are request fields by which some origins replace what the key holds: target, authority, scheme, method.
// Who fills the cache with one of them could give everybody else the response to another request. The proxy drops those
// of clients; this is for whoever doesn't.
var unkeyedFields = [...]string{
	"Forwarded", "X-Forwarded-Host", "X-Forwarded-Scheme", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
	"X-Forwarded-Server", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Host", "X-Original-Host", "X-Http-Host-Override",
	"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Http-Destinationurl", "X-Url-Scheme", "Front-End-Https",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
}

// unkeyed tells whether a request has one of unkeyedFields that neither Vary nor the policy's key holds.
func unkeyed(p *Policy, request, response FieldReader) bool {
	for _, name := range unkeyedFields {
		if has(request, name) && !holdsName(p.Headers, name) && !varyNames(response, name) {
			return true
		}
	}
	return false
}

func holdsName(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// varyNames tells whether Vary nominates a field.
func varyNames(f FieldReader, name string) bool {
	for i := 0; ; i++ {
		line, ok := f.Line("Vary", i)
		if !ok {
			return false
		}
		for n, rest := httpfield.Next(line); n != ""; n, rest = httpfield.Next(rest) {
			if strings.EqualFold(n, name) {
				return true
			}
		}
	}
}

// staticExtensions are the ends of paths behind which nobody expects a page or data about a user.
var staticExtensions = map[string]bool{
	"css": true, "js": true, "mjs": true, "wasm": true, "ico": true, "png": true, "jpg": true, "jpeg": true, "gif": true,
	"webp": true, "avif": true, "bmp": true, "svg": true, "tif": true, "tiff": true, "woff": true, "woff2": true, "ttf": true,
	"otf": true, "eot": true, "mp3": true, "mp4": true, "m4a": true, "m4v": true, "webm": true, "ogg": true, "oga": true,
	"ogv": true, "wav": true, "flac": true, "mov": true, "avi": true, "ts": true, "zip": true, "gz": true, "tgz": true,
	"br": true, "zst": true, "xz": true, "bz2": true, "7z": true, "rar": true, "jar": true, "apk": true, "dmg": true,
	"exe": true, "msi": true, "iso": true, "bin": true, "pdf": true, "doc": true, "docx": true, "xls": true, "xlsx": true,
	"ppt": true, "pptx": true,
}

// deceptive tells whether a response looks like web cache deception: a page or data under a path that ends like a file,
// /account/x.css, which an origin answers like /account. It is stored when the origin says that it is meant for shared
// caches: by public, s-maxage, a targeted field, or the path's configuration.
func deceptive(key string, r *received) bool {
	if r.targeted || r.assigned || r.control.Is(httpfield.Public|httpfield.SMaxAge) || r.status >= 300 {
		return false
	}
	value, _ := singular(r.fields, "Content-Type")
	return isPageOrData(value) && staticExtensions[extensionOf(key)]
}

func isPageOrData(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "text/html", "application/xhtml+xml", "application/json", "text/json":
		return true
	}
	return strings.HasSuffix(media, "+json")
}

// extensionOf is what stands behind the last dot of a key's path, in lower case.
func extensionOf(key string) string {
	if i := strings.IndexAny(key, "?\n"); i >= 0 {
		key = key[:i]
	}
	return strings.ToLower(key[strings.LastIndexByte(key, '.')+1:])
}
