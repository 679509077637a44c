package proxy_test

import (
	"encoding/binary"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyedge/anyedge/proxy/origin"
)

// grpcOrigin is what a gRPC server does on the wire: it needs H2 and TE: trailers, answers each length-prefixed message
// at once, and ends with its status in the trailer section, or in the header section when there is nothing to say.
func grpcOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	if r.ProtoMajor != 2 || r.Header.Get("TE") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" {
		w.Header().Set("Grpc-Status", "3")
		return
	}
	control := http.NewResponseController(w)
	_ = control.Flush()
	for {
		message, err := readMessage(r.Body)
		if err != nil {
			break
		}
		_, _ = w.Write(frameMessage("re: " + message))
		_ = control.Flush()
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	w.Header().Set(http.TrailerPrefix+"Grpc-Message", "done")
}

func frameMessage(s string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(s)))
	return append(b, s...)
}

func readMessage(r io.Reader) (string, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, message)
	return string(message), err
}

func newGRPCEdge(t *testing.T) *edge {
	server := httptest.NewUnstartedServer(http.HandlerFunc(grpcOrigin))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return newEdge(t, withPool(newPool(t, server.URL, func(o *origin.Options) { o.TLS.CAFile = ca })))
}

func TestGRPC(t *testing.T) {
	e := newGRPCEdge(t)
	for _, protocol := range []string{"h2", "h2-loop", "h3"} {
		t.Run(protocol, func(t *testing.T) {
			content, write := io.Pipe()
			r := e.request(t, "POST", "example.com", "/echo.Echo/Chat", content)
			r.Header.Set("Content-Type", "application/grpc")
			r.Header.Set("TE", "trailers")
			resp, err := e.client(t, protocol).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for _, message := range []string{"one", "", "three"} {
				_, _ = write.Write(frameMessage(message))
				if got, err := readMessage(resp.Body); got != "re: "+message {
					t.Fatalf("%q, %v", got, err)
				}
			}
			_ = write.Close()
			if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
				t.Fatalf("%q, %v", rest, err)
			}
			if resp.Trailer.Get("Grpc-Status") != "0" || resp.Trailer.Get("Grpc-Message") != "done" {
				t.Errorf("trailers %v", resp.Trailer)
			}
		})
	}
}

func TestGRPCStatusOnly(t *testing.T) {
	e := newGRPCEdge(t)
	r := e.request(t, "POST", "example.com", "/echo.Echo/Chat", nil)
	r.Header.Set("Content-Type", "application/grpc") // and no TE
	resp, content := do(t, e.client(t, "h2"), r)
	if resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") != "3" || content != "" {
		t.Errorf("%d %v %q", resp.StatusCode, resp.Header, content)
	}
}
