package proxy

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// The fields of H1's WebSocket handshake (RFC 6455 §4), which H2's and H3's have no use for.
const (
	webSocketKey    = "Sec-Websocket-Key"
	webSocketAccept = "Sec-Websocket-Accept"
)

// newWebSocketKey is a nonce for a handshake that we begin on behalf of a client.
func newWebSocketKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// webSocketAnswer is the Sec-WebSocket-Accept to key (RFC 6455 §4.2.2). SHA-1 protects nothing here; it shows that
// the server speaks the protocol.
func webSocketAnswer(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
