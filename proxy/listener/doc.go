// Package listener binds the sockets of a VIP and serves H1, H2 and H3 on them.
//
//	TCP https ─► accept ─► gate ─► TLS handshake ─┬─► h2.Conn: H2 ───────┐
//	                                              └─► hitpath: H1 ───────┤
//	                                                     ▼ odd           │
//	TCP http  ─► accept ─► gate ─────────────────────► net/http: H1 ─────┤
//	                                                                     ├─► Info, Alt-Svc ─► Config.Handler
//	UDP https ─► quic.Transport ─► connection ───────► h3.Conn: H3 ──────┘
//
// hitpath has the requests without content of H1 over TLS: hits, which it answers by itself, and others. With one that it
// doesn't recognise, or that has content, the connection becomes net/http's.
//
// A connection of hitpath's or h2's that is quiet for a few seconds rests: it waits in a goroutine that has only the smallest
// stack, and another one answers it when something has come.
//
// One socket is bound to each address and protocol, never the wildcard: replies leave from the VIP whatever the routes
// of the host, and quic-go does not pin a connection to the interface that its first packet came by. Addresses need not
// be on an interface yet (IP_FREEBIND), so a node starts before its VIPs are up.
//
// With a [Steering], which hands packets of others' connections to them, quic-go reads a socket through it, and takes
// connection IDs from it that say whose they are. Then QUIC has several sockets at each address, its workers, each with a
// reader and a quic.Transport of its own: the kernel spreads clients over them, and the connection ID says which of them a
// packet is for whose client has another address by now. TCP has one accept loop at each address: it takes 10 µs for a
// connection, a small part of what the handshake takes on whatever processor (BenchmarkAccept).
//
// With a [Rescue], TCP connections are marked as they are accepted, so that their segments are known wherever they come, and
// clients' segments are kept so short that they fit through a tunnel.
//
// A [Listener] lives from [Open] to the end of [Listener.Shutdown]:
//
//	Open ─► Serve … SetQUICAnswers … Shutdown: GOAWAY, requests end, connections close ─► Serve returns
//
// Two listeners of two processes may have the same sockets while one makes way for the other: the one that comes takes them
// from [Inherited], the one that goes stops accepting by [Listener.PauseAccept], and by what its Steering does for QUIC.
//
// What a client may take is limited before a handler runs: the header's size (431) and time, concurrent streams, idle
// time, and, shared by all listeners, TCP connections through a [Gate] and those of one client, QUIC's too, through
// admission.Shares. Where the protocols differ:
//
//   - A header that is too large: 431, where each field counts 32 octets more than it has (RFC 9113, section 6.5.2;
//     RFC 9114, section 4.2.2). An H2 connection ends with an error where four times the limit come in one block.
//   - A header that doesn't come in time: H1 is closed without an answer; an H2 connection without a complete request is
//     idle, and closed as such; an H3 request is reset.
//
// QUIC has more to lose before a client is known. [Handshakes] of all listeners are counted, and beyond limits a client must
// prove its address first, by Retry. Early data is taken by [Listener.SetEarlyData] alone, and Info.Early tells a handler of
// requests in it. Tokens, and sessions with early data, hold at every node that has the same keys.
//
// It is the home of quic-go's server side. It imports admission for its limits, hitpath for H1 and what answers hits, h2, h3, and
// health for the journal.
package listener
