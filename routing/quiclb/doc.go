// Package quiclb puts a server's identity into QUIC connection IDs and reads it again, as draft-ietf-quic-load-balancers-21
// says: whoever has the configuration knows for each packet which server its connection belongs to, and nobody else does.
//
//	      0                      1                    1+s                 1+s+n
//	octet ├── config, length ────┼── server ID, s ────┼── nonce, n ───────┤
//	        3 bits     5 bits     └──────── encrypted together ──────────┘
//
//	server:    Generator.Append ─▶ connection ID ─▶ client
//	anywhere:  packet's destination connection ID ─▶ Configs.Decode ─▶ server ID
//
// Without a key both are in the clear. With one they are encrypted: in a single AES block where they fill it, else by a
// Feistel network of four passes over two halves.
//
// Up to seven configurations are in force at once, told apart by the first three bits, so that a key can be replaced
// without a connection lost: every node decodes the new one before any issues it. The package imports nothing of anyedge
// and may be used by itself.
package quiclb
