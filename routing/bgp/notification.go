package bgp

import "fmt"

// Error codes of NOTIFICATION messages (RFC 4271 §4.5).
const (
	codeOpen       = 2
	codeHoldTimer  = 4
	codeFSM        = 5
	codeCease      = 6
	subBadPeerAS   = 2
	subBadIdentity = 3
)

var codeNames = map[uint8]string{
	1: "Message Header Error", codeOpen: "OPEN Message Error", 3: "UPDATE Message Error", codeHoldTimer: "Hold Timer Expired",
	codeFSM: "Finite State Machine Error", codeCease: "Cease", 7: "ROUTE-REFRESH Message Error",
}

var openNames = map[uint8]string{
	1: "Unsupported Version Number", subBadPeerAS: "Bad Peer AS", subBadIdentity: "Bad BGP Identifier",
	4: "Unsupported Optional Parameter", 6: "Unacceptable Hold Time", 7: "Unsupported Capability",
}

// ceaseNames are the reasons of RFC 4486, RFC 8538 and RFC 9384.
var ceaseNames = map[uint8]string{
	1: "Maximum Number of Prefixes Reached", 2: "Administrative Shutdown", 3: "Peer De-configured",
	4: "Administrative Reset", 5: "Connection Rejected", 6: "Other Configuration Change",
	7: "Connection Collision Resolution", 8: "Out of Resources", 9: "Hard Reset", 10: "BFD Down",
}

// notification is what a NOTIFICATION says.
type notification struct {
	code, subcode uint8
	communication string // RFC 9003, from the network: never printed unquoted
}

func (n notification) String() string {
	name, ok := codeNames[n.code]
	if !ok {
		return fmt.Sprintf("error %d/%d", n.code, n.subcode)
	}
	sub := ""
	switch n.code {
	case codeOpen:
		sub = openNames[n.subcode]
	case codeCease:
		sub = ceaseNames[n.subcode]
	}
	switch {
	case sub != "":
		name += "/" + sub
	case n.subcode != 0:
		name += fmt.Sprintf("/%d", n.subcode)
	}
	if n.communication != "" {
		name += fmt.Sprintf(": %q", n.communication)
	}
	return name
}
