package cache

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// TestFillFields: a fill asks with its client's fields, of which none is changed, whatever it changes for itself.
func TestFillFields(t *testing.T) {
	f := func(client http.Header, stored *Response, set func(*fill), want http.Header) {
		t.Helper()
		before := client.Clone()
		x := &fill{target: target{client: client}, request: &http.Request{}}
		x.takeFields(stored, nil)
		if set != nil {
			set(x)
		}
		if !reflect.DeepEqual(x.request.Header, want) {
			t.Errorf("it asks with %v, want %v", x.request.Header, want)
		}
		if !reflect.DeepEqual(client, before) {
			t.Errorf("the client's became %v, were %v", client, before)
		}
	}
	plain := http.Header{"Accept": {"a", "b"}}
	f(plain, nil, nil, plain)
	f(nil, nil, nil, nil)
	f(nil, nil, func(x *fill) { x.setField("Range", "r") }, http.Header{"Range": {"r"}})
	f(plain, nil, func(x *fill) { x.setField("Range", "r"); x.setField("If-Range", "t") }, http.Header{"Accept": {"a", "b"}, "Range": {"r"}, "If-Range": {"t"}})
	f(http.Header{"Accept": {"a"}, "Range": {"x"}, "If-Range": {"y"}, "If-None-Match": {"*"}, "If-Modified-Since": {"z"}}, nil, nil, http.Header{"Accept": {"a"}})
	f(http.Header{"Accept": {"a"}}, nil, func(x *fill) { x.setField("Accept", "a") }, http.Header{"Accept": {"a"}})
	f(http.Header{"Accept": {"a", "b"}}, nil, func(x *fill) { x.setField("Accept", "a") }, http.Header{"Accept": {"a"}})
	tagged := &Response{etag: httpfield.ETag{Opaque: "1"}, fields: block("")}
	f(nil, tagged, nil, http.Header{"If-None-Match": {tagged.etag.String()}})
	f(http.Header{"Accept": {"a"}, "If-None-Match": {"*"}}, tagged, nil, http.Header{"Accept": {"a"}, "If-None-Match": {tagged.etag.String()}})
}
