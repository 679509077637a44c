package acme

import "net/url"

// OnDemandOptions is the `tls.acme.on_demand` key: certificates for names that a site serves by a wildcard or by "*", and
// that nobody knows beforehand. Each limit answers a flood of names, which anybody can send.
type OnDemandOptions struct {
	// Ask is the URL that is asked by GET, with ?domain=NAME, before a name is obtained for the first time and each time before
	// it is renewed. An answer of 200 allows it.
	Ask string `yaml:"ask"`
	// AskRate is how many questions a second Ask gets at most.
	AskRate int `yaml:"ask_rate"`
	// Rate is how many names an hour are taken, and Names how many there are at most.
	Rate  int `yaml:"rate"`
	Names int `yaml:"names"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *OnDemandOptions) SetDefaults() { *o = OnDemandOptions{AskRate: 10, Rate: 60, Names: 1000} }

// Check reports every value that can't be right.
func (o *OnDemandOptions) Check(report func(key, problem string)) {
	u, err := url.Parse(o.Ask)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		report("ask", "must be the URL of what knows the names, such as http://127.0.0.1:8081/known: without it, anybody could have orders placed")
	}
	if err == nil && u.User != nil {
		report("ask", "must have no user and password: the configuration is shown to whoever may see the node's state")
	}
	for key, n := range map[string]int{"ask_rate": o.AskRate, "rate": o.Rate, "names": o.Names} {
		if n < 1 || n > mostNames {
			report(key, "must be between 1 and 100000")
		}
	}
}

// mostNames bounds all three figures.
const mostNames = 100_000
