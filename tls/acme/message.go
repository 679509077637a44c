package acme

// message is what nodes say to each other, in JSON and sealed: a question with its ID, the answer to one, or news. Later
// versions may add fields.
type message struct {
	ID     string     `json:"id,omitempty"`
	Put    *Challenge `json:"put,omitempty"`    // answer it from now on
	Delete *Challenge `json:"delete,omitempty"` // no longer
	Want   string     `json:"want,omitempty"`   // a name: what have you of it?
	Have   string     `json:"have,omitempty"`   // a name: I have a new certificate of it
	Reply  *reply     `json:"reply,omitempty"`
}

// reply answers Put and Want.
type reply struct {
	Problem string  `json:"problem,omitempty"` // why a challenge won't be answered
	Bundle  *bundle `json:"bundle,omitempty"`
	// Declines says that the node won't obtain the name: it hasn't the name, or has tried in vain.
	Declines bool `json:"declines,omitempty"`
}

// bundle is a certificate as it is stored.
type bundle struct {
	Issuer string `json:"issuer"` // the authority, as in paths of the storage
	Cert   []byte `json:"cert"`   // PEM
	Key    []byte `json:"key"`    // PEM
	Meta   []byte `json:"meta"`   // JSON
}
