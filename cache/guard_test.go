package cache

import "testing"

// TestDeceptive is the table of what is taken for web cache deception.
func TestDeceptive(t *testing.T) {
	const html = "Content-Type: text/html"
	for _, tt := range []struct {
		path   string
		status int
		fields []string
		want   bool
	}{
		{"/me/x.css", 200, []string{html}, true},
		{"/me/x.CSS", 200, []string{html}, true},
		{"/me/x.css", 200, []string{"Content-Type: TEXT/HTML ; charset=utf-8"}, true},
		{"/me/x.css", 203, []string{html}, true},
		{"/me;x.js", 200, []string{html}, true},
		{"/me%3Fx.js", 200, []string{html}, true},
		{"/me%00.png", 200, []string{html}, true},
		{"/me/x.css?y=z.html", 200, []string{html}, true},
		{"/me/x.css\nheader X-Device=a.html", 200, []string{html}, true},
		{"/me/x.woff2", 200, []string{"Content-Type: application/json"}, true},
		{"/me/x.woff2", 200, []string{"Content-Type: application/vnd.api+json"}, true},
		{"/me/x.woff2", 200, []string{"Content-Type: application/xhtml+xml"}, true},
		{"/me/x.css", 200, []string{html, "Cache-Control: max-age=60"}, true},

		{"/me/x.css", 200, []string{html, "Cache-Control: public"}, false},
		{"/me/x.css", 200, []string{html, "Cache-Control: s-maxage=60"}, false},
		{"/me/x.css", 200, []string{html, "Cdn-Cache-Control: max-age=60"}, false},
		{"/me/x.css", 200, []string{html, "Surrogate-Control: max-age=60"}, false},
		{"/me/x.css", 404, []string{html}, false},
		{"/me/x.css", 301, []string{html}, false},
		{"/me/x.css", 200, []string{"Content-Type: text/css"}, false},
		{"/me/x.css", 200, []string{"Content-Type: text/plain"}, false},
		{"/me/x.css", 200, []string{"Content-Type: text"}, false},
		{"/me/x.css", 200, nil, false},
		{"/me", 200, []string{html}, false},
		{"/me/", 200, []string{html}, false},
		{"/me/x.html", 200, []string{html}, false},
		{"/me/x.php", 200, []string{html}, false},
		{"/me/x.json", 200, []string{"Content-Type: application/json"}, false},
		{"/me?x.css", 200, []string{html}, false},
		{"/css", 200, []string{html}, false},
	} {
		if got := deceptive("http://example.com"+tt.path, at(fieldsOf(tt.fields...), tt.status)); got != tt.want {
			t.Errorf("%q, %d %v: %v", tt.path, tt.status, tt.fields, got)
		}
	}
	assigned := at(fieldsOf(html), 200)
	assigned.assign(&Policy{TTL: TTLs{"200": 1}})
	if deceptive("http://example.com/x.css", assigned) {
		t.Error("what the path's configuration gives a lifetime is taken for deception")
	}
}

func TestUnkeyed(t *testing.T) {
	none := fieldsOf()
	for _, name := range unkeyedFields {
		with := header(fieldsOf(name + ": x"))
		if !unkeyed(&Policy{}, with, header(none)) {
			t.Errorf("%s isn't found", name)
		}
		if unkeyed(&Policy{Headers: []string{name}}, with, header(none)) {
			t.Errorf("%s is in the key", name)
		}
		if unkeyed(&Policy{}, with, header(fieldsOf("Vary: A", "Vary: B, "+name))) {
			t.Errorf("%s is in Vary", name)
		}
		if !unkeyed(&Policy{Headers: []string{"X"}}, with, header(fieldsOf("Vary: X"))) {
			t.Errorf("%s is in neither", name)
		}
	}
	if unkeyed(&Policy{}, header(fieldsOf("X-Other: x", "Host: y")), header(none)) {
		t.Error("any field will do")
	}
}

func TestSetsApart(t *testing.T) {
	for control, want := range map[string]bool{
		`no-cache="set-cookie"`: true, `private="X, Set-Cookie"`: true, `private=Set-Cookie`: true,
		`no-cache="Set-Cookie2"`: false, "no-cache": false, "": false, `x="Set-Cookie"`: false,
	} {
		r := at(fieldsOf("Cache-Control: "+control, "Set-Cookie: a=b"), 200)
		if got := guarded("http://example.com/", &Policy{}, &request{fields: header{}}, r) == ""; got != want {
			t.Errorf("%s: %v", control, got)
		}
	}
}
