package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	acmeproto "github.com/mholt/acmez/v3/acme"
)

// How long an authority is waited for. Validation from several places takes some ten seconds at a busy one.
const (
	requestTimeout = 20 * time.Second
	orderTimeout   = 2 * time.Minute
)

// issuer orders certificates at one authority. It fulfils certmagic.Issuer and certmagic.RenewalInfoGetter.
type issuer struct {
	authority Authority
	email     string
	agreed    bool
	binding   *acmeproto.EAB // nil: none
	client    *acmez.Client  // without solvers, which depend on the name
	solve     solving
	transport *http.Transport
	storage   certmagic.Storage
	depot     *depot
	metrics   *metrics

	pace     pace
	accounts sync.Mutex // held while an account is looked up or registered, so that one comes of it
}

func newIssuer(s *settings, a Authority, solve solving, m *metrics, log *slog.Logger) (*issuer, error) {
	roots, err := a.roots()
	if err != nil {
		return nil, err
	}
	binding, err := a.binding()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		IdleConnTimeout: time.Minute,
	}
	return &issuer{
		authority: a, email: s.options.Email, agreed: s.options.AgreeToTerms, binding: binding, storage: s.storage,
		depot: s.depot, metrics: m, transport: transport,
		client: &acmez.Client{
			Client: &acmeproto.Client{
				Directory: a.Directory, UserAgent: "anyedge", PollTimeout: orderTimeout, Logger: log,
				HTTPClient: &http.Client{Transport: transport, Timeout: requestTimeout},
			},
		},
		solve: solve,
	}, nil
}

// IssuerKey is the authority in paths of the storage, as certmagic's own issuers have it: host and path.
func (i *issuer) IssuerKey() string {
	u, err := url.Parse(i.authority.Directory)
	if err != nil {
		return i.authority.Directory // Check has seen to it
	}
	return strings.Trim(u.Host+strings.ReplaceAll(u.Path, "/", "-"), "-")
}

// name is the authority for people.
func (i *issuer) name() string {
	u, err := url.Parse(i.authority.Directory)
	if err != nil {
		return i.authority.Directory // Check has seen to it
	}
	return u.Host
}

// Issue orders a certificate. What went wrong is told to the step whose context ctx is as well: certmagic goes on to the
// next authority, and keeps the last error alone.
func (i *issuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	chains, err := i.order(ctx, csr)
	i.metrics.ordered(i.name(), err)
	if err != nil {
		err = &refusal{authority: i.name(), err: err}
		refusalsFrom(ctx).add(err)
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: chains[0].ChainPEM, Metadata: chains[0]}, nil
}

func (i *issuer) order(ctx context.Context, csr *x509.CertificateRequest) ([]acmeproto.Certificate, error) {
	chains, err := i.orderOnce(ctx, csr)
	if p, ok := errors.AsType[acmeproto.Problem](err); ok && p.Type == acmeproto.ProblemTypeAccountDoesNotExist {
		if err := i.forgetAccount(ctx); err != nil {
			return nil, fmt.Errorf("forget an account that the authority has not: %w", err)
		}
		chains, err = i.orderOnce(ctx, csr)
	}
	if err == nil && len(chains) == 0 {
		err = errors.New("it answered without a certificate")
	}
	return chains, err
}

func (i *issuer) orderOnce(ctx context.Context, csr *x509.CertificateRequest) ([]acmeproto.Certificate, error) {
	i.accounts.Lock()
	account, err := i.account(ctx)
	i.accounts.Unlock()
	if err != nil {
		return nil, err
	}
	if err := i.pace.wait(ctx); err != nil {
		return nil, err
	}
	if err := i.checkClock(ctx); err != nil {
		return nil, err
	}
	p, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return nil, fmt.Errorf("make an order: %w", err)
	}
	p.Replaces = i.replaced(ctx, csr, account.Location)
	client := acmez.Client{Client: i.client.Client, ChallengeSolvers: i.solve.of(csr.DNSNames)}
	chains, err := client.ObtainCertificate(ctx, p)
	if p.Replaces != nil && mayDisputeReplaced(err) {
		p.Replaces = nil
		chains, err = client.ObtainCertificate(ctx, p)
	}
	return chains, err
}

// mayDisputeReplaced is whether an order may have been refused for the certificate that it replaces: it has another
// replacement (RFC 9773, section 5), or the authority doesn't find it. Without it the order is as any other.
func mayDisputeReplaced(err error) bool {
	p, ok := errors.AsType[acmeproto.Problem](err)
	return ok && slices.Contains([]string{
		acmeproto.ProblemTypeAlreadyReplaced, acmeproto.ProblemTypeMalformed, acmeproto.ProblemTypeServerInternal,
	}, p.Type)
}

// replaced is the certificate of this authority that the order renews (RFC 9773, section 5), or nil. It must be of the same
// account: another node's isn't.
func (i *issuer) replaced(ctx context.Context, csr *x509.CertificateRequest, account string) *x509.Certificate {
	if len(csr.DNSNames) == 0 || i.obtainer(ctx, csr.DNSNames[0]) != account {
		return nil
	}
	text, err := i.storage.Load(ctx, certmagic.StorageKeys.SiteCert(i.IssuerKey(), csr.DNSNames[0]))
	if err != nil {
		return nil
	}
	leaf, err := parseLeaf(text)
	if err != nil || len(leaf.AuthorityKeyId) == 0 {
		return nil
	}
	return leaf
}

// obtainer is the account that has obtained what is stored of a name.
func (i *issuer) obtainer(ctx context.Context, name string) string {
	text, err := i.storage.Load(ctx, certmagic.StorageKeys.SiteMeta(i.IssuerKey(), name))
	if err != nil {
		return ""
	}
	var resource certmagic.CertificateResource
	var meta acmeproto.Certificate
	if json.Unmarshal(text, &resource) != nil || json.Unmarshal(resource.IssuerData, &meta) != nil {
		return ""
	}
	return meta.Account
}

// GetRenewalInfo asks when a certificate is to be renewed (RFC 9773).
func (i *issuer) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (acmeproto.RenewalInfo, error) {
	return i.client.GetRenewalInfo(ctx, cert.Leaf)
}
