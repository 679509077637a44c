package proxy

import (
	"net/http"
	"strings"
	"time"

	"github.com/anyedge/anyedge/tls/clientauth"
)

// The fields that tell an origin by which certificate a client has shown who it is (RFC 9440, section 2). Clients may not
// send them.
const (
	clientCertField  = "Client-Cert"
	clientChainField = "Client-Cert-Chain"
)

// ClientAuth is the policy by which a handshake for serverName on vip is made; nil: clients are asked for no certificate.
func (s *Server) ClientAuth(vip, serverName string) *clientauth.Policy {
	c := s.chain.Load()
	if c == nil {
		return nil
	}
	if site := c.sites.lookup(vip, strings.ToLower(serverName)); site != nil {
		return site.clients
	}
	return nil
}

// clientCertificate lets requests for a site that takes clients' certificates come by connections alone that were made for
// it, where the client was asked: others are answered 421 (RFC 9110 §15.5.20), whereupon a client makes one. That is
// looked at for every request, and so is the certificate: it may have been revoked, or the site's policy have changed.
//
// What is found goes to the cache and the origin in Client-Cert, before the cache, which may have to tell clients apart.
func (c *Chain) clientCertificate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		policy := ex.site.clients
		if policy == nil {
			next.ServeHTTP(w, r)
			return
		}
		if r.TLS != nil && c.sites.lookup(ex.info.VIP, strings.ToLower(r.TLS.ServerName)) != ex.site {
			c.options.Metrics.client(ex, clientOtherSite)
			c.fail(w, r, refusal(http.StatusMisdirectedRequest, "connection_of_other_site"))
			return
		}
		client, err := policy.Verify(r.TLS, time.Now())
		if err != nil {
			c.options.Metrics.client(ex, clientRefused)
			c.log.Debug("client certificate", "client", r.RemoteAddr, "site", ex.site.name, "error", err)
			c.fail(w, r, refusal(http.StatusMisdirectedRequest, "client_certificate"))
			return
		}
		ex.announceClient(r, client)
		c.options.Metrics.client(ex, outcomeOf(client))
		next.ServeHTTP(w, r)
	})
}

// announceClient tells the cache and the origin who the client is; nil: nobody knows.
func (ex *exchange) announceClient(r *http.Request, client *clientauth.Client) {
	if client == nil {
		return
	}
	ex.client = client
	r.Header[clientCertField] = []string{client.Cert}
	if client.Chain != "" {
		r.Header[clientChainField] = []string{client.Chain}
	}
}

// clientOutcome is what became of a request for a site that takes clients' certificates, for metrics.
type clientOutcome string

const (
	clientTaken     clientOutcome = "taken"
	clientNone      clientOutcome = "none"
	clientOtherSite clientOutcome = "other_site"
	clientRefused   clientOutcome = "refused"
)

func outcomeOf(client *clientauth.Client) clientOutcome {
	if client == nil {
		return clientNone
	}
	return clientTaken
}
