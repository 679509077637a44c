package edgetls_test

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

// mistake is a pair of files that can't be served, and what the error must say of it; CERT and KEY stand for the paths.
type mistake struct {
	spoil func(t *testing.T, f edgetls.CertificateFiles)
	want  []string
}

var mistakes = map[string]mistake{
	"no certificate file": {
		func(t *testing.T, f edgetls.CertificateFiles) { must(t, os.Remove(f.Cert)) },
		[]string{"read the certificate CERT: there is no such file"},
	},
	"no key file": {
		func(t *testing.T, f edgetls.CertificateFiles) { must(t, os.Remove(f.Key)) },
		[]string{"read the key KEY: there is no such file"},
	},
	"neither file": {
		func(t *testing.T, f edgetls.CertificateFiles) { must(t, os.Remove(f.Cert)); must(t, os.Remove(f.Key)) },
		[]string{"CERT: there is no such file", "KEY: there is no such file"},
	},
	"a directory": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			must(t, os.Remove(f.Cert))
			must(t, os.Mkdir(f.Cert, 0o700))
		},
		[]string{"read the certificate CERT: ", "directory"},
	},
	"empty certificate": {
		func(t *testing.T, f edgetls.CertificateFiles) { write(t, f.Cert, nil) },
		[]string{"CERT: the file is empty"},
	},
	"DER": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			write(t, f.Cert, issue(t, newKey(t), []string{"x.example"}))
			write(t, f.Key, []byte{0x30, 0x82})
		},
		[]string{"CERT: it is not PEM", "KEY: it is not PEM", "openssl x509"},
	},
	"the key in cert": {
		func(t *testing.T, f edgetls.CertificateFiles) { write(t, f.Cert, read(t, f.Key)) },
		[]string{"CERT: it holds no certificate but a private key: name the certificate's file in cert"},
	},
	"the certificate in key": {
		func(t *testing.T, f edgetls.CertificateFiles) { write(t, f.Key, read(t, f.Cert)) },
		[]string{"KEY: it holds no private key but a certificate: name the certificate's file in cert"},
	},
	"another key": {
		func(t *testing.T, f edgetls.CertificateFiles) { write(t, f.Key, pemKey(t, newKey(t))) },
		[]string{"the key in KEY does not belong to the certificate in CERT (CN=x.example)"},
	},
	"a key of another kind": {
		func(t *testing.T, f edgetls.CertificateFiles) { write(t, f.Key, pemKey(t, rsaKey())) },
		[]string{"the key in KEY does not belong to the certificate in CERT"},
	},
	"the issuer first": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			write(t, f.Cert, append(pemOf("CERTIFICATE", issue(t, newKey(t), []string{"issuer"})), read(t, f.Cert)...))
		},
		[]string{"the key in KEY belongs to certificate 2 of CERT: put that one first"},
	},
	"a broken second certificate": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			write(t, f.Cert, append(read(t, f.Cert), pemOf("CERTIFICATE", []byte("broken"))...))
		},
		[]string{"CERT: certificate 2 of the file: x509"},
	},
	"an encrypted key": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			write(t, f.Key, pemOf("ENCRYPTED PRIVATE KEY", []byte("x")))
		},
		[]string{"KEY: it is encrypted: decrypt it with openssl pkey -in KEY"},
	},
	"an encrypted key of old": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			write(t, f.Key, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
		},
		[]string{"KEY: it is encrypted"},
	},
	"a broken key": {
		func(t *testing.T, f edgetls.CertificateFiles) { write(t, f.Key, pemOf("PRIVATE KEY", []byte("x"))) },
		[]string{"read the key KEY: "},
	},
	"a key that can't sign": {
		func(t *testing.T, f edgetls.CertificateFiles) {
			key, err := ecdh.X25519().GenerateKey(rand.Reader)
			must(t, err)
			der, err := x509.MarshalPKCS8PrivateKey(key)
			must(t, err)
			write(t, f.Key, pemOf("PRIVATE KEY", der))
		},
		[]string{"KEY: a *ecdh.PrivateKey can't sign"},
	},
}

func TestMistakesNameTheirFileAndWhatToDo(t *testing.T) {
	for name, m := range mistakes {
		t.Run(name, func(t *testing.T) {
			f := files(t, newKey(t), "x.example")
			m.spoil(t, f)
			_, err := edgetls.Load(options(f))
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range m.want {
				want = strings.NewReplacer("CERT", f.Cert, "KEY", f.Key).Replace(want)
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q\nlacks %q", err, want)
				}
			}
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads every file")
	}
	f := files(t, newKey(t), "x.example")
	must(t, os.Chmod(f.Key, 0))
	if _, err := edgetls.Load(options(f)); err == nil || !strings.Contains(err.Error(), "read the key "+f.Key+": permission denied") {
		t.Errorf("Load: %v", err)
	}
}

func TestLoadReportsEveryMistake(t *testing.T) {
	good, a, b := files(t, newKey(t), "x.example"), files(t, newKey(t), "a.example"), files(t, newKey(t), "b.example")
	must(t, os.Remove(a.Cert))
	write(t, b.Key, pemKey(t, newKey(t)))
	_, err := edgetls.Load(options(a, good, b))
	if err == nil || !strings.Contains(err.Error(), a.Cert) || !strings.Contains(err.Error(), b.Key) || strings.Contains(err.Error(), good.Cert) {
		t.Errorf("Load: %v", err)
	}
}

func TestFormsOfKeys(t *testing.T) {
	ec := newKey(t)
	sec1, err := x509.MarshalECPrivateKey(ec)
	must(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	parameters := pemOf("EC PARAMETERS", []byte{6, 8}) // which openssl writes before the key
	for name, pair := range map[string][2][]byte{
		"ECDSA P-256":          {issue(t, ec, []string{"x.example"}), append(parameters, pemOf("EC PRIVATE KEY", sec1)...)},
		"RSA 2048":             {issue(t, rsaKey(), []string{"x.example"}), pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))},
		"Ed25519":              {issue(t, ed, []string{"x.example"}), pemKey(t, ed)},
		"ECDSA P-256 (PKCS 8)": {issue(t, ec, []string{"x.example"}), pemKey(t, ec)},
	} {
		path := filepath.Join(t.TempDir(), "both.pem") // HAProxy's habit: one file for both
		write(t, path, append(pair[1], pemOf("CERTIFICATE", pair[0])...))
		s := load(t, edgetls.CertificateFiles{Cert: path, Key: path})
		if got := s.Certificates()[0].Key; !strings.HasPrefix(name, got) {
			t.Errorf("%s: a %s key", name, got)
		}
	}
}

func TestCertificatesTell(t *testing.T) {
	key := newKey(t)
	dates := func(from, to time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
	}
	for warning, adjust := range map[string]func(*x509.Certificate){
		"":                            dates(-time.Hour, time.Hour),
		"expired ":                    dates(-2*time.Hour, -time.Hour),
		"not valid before ":           dates(time.Hour, 2*time.Hour),
		"no subject alternative name": func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil },
	} {
		f := files(t, key, "x.example")
		write(t, f.Cert, pemOf("CERTIFICATE", issue(t, key, []string{"x.example", "192.0.2.1"}, adjust)))
		i := load(t, f).Certificates()[0]
		if !strings.Contains(i.Warning, warning) || (warning == "") != (i.Warning == "") {
			t.Errorf("warning %q, want %q", i.Warning, warning)
		}
		if i.File != f.Cert || i.Key != "ECDSA P-256" || i.Names[0] != "x.example" || i.Issuer != "CN=x.example" {
			t.Errorf("%+v", i)
		}
		if warning == "" && i.Names[1] != "192.0.2.1" {
			t.Errorf("names: %q", i.Names)
		}
	}
}

func TestAddNeedsBothHalves(t *testing.T) {
	s := load(t)
	pair, _, err := edgetls.SelfSigned("x.example")
	must(t, err)
	pair.Leaf = nil
	must(t, s.Add(pair))
	keyless, broken := pair, pair
	keyless.PrivateKey = nil
	if s.Add(keyless) == nil {
		t.Error("added without a key")
	}
	broken.Certificate = [][]byte{[]byte("broken")}
	if s.Add(broken) == nil {
		t.Error("added what is no certificate")
	}
	if n := len(s.Certificates()); n != 1 {
		t.Errorf("%d certificates", n)
	}
}

func TestSelfSigned(t *testing.T) {
	pair, leaf, err := edgetls.SelfSigned("shop.example.com", "*.img.example.com", "127.0.0.1", "::1")
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for _, name := range []string{"shop.example.com", "a.img.example.com", "127.0.0.1", "::1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := edgetls.SelfSigned(); err == nil {
		t.Error("made for nobody")
	}
}

func FuzzLoad(f *testing.F) {
	pair, _, err := edgetls.SelfSigned("x.example")
	if err != nil {
		f.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pemOf("CERTIFICATE", pair.Certificate[0]), pemOf("PRIVATE KEY", key))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		files := edgetls.CertificateFiles{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
		write(t, files.Cert, cert)
		write(t, files.Key, key)
		s, err := edgetls.Load(options(files))
		if (s == nil) == (err == nil) {
			t.Fatalf("store %v, error %v", s, err)
		}
		if err == nil && len(s.Certificates()) != 1 {
			t.Fatal("loaded without a certificate")
		}
	})
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// TestLoadEach: every problem comes with the key of what has it, and what Load says are the same problems.
func TestLoadEach(t *testing.T) {
	good := files(t, newKey(t), "x.example")
	o := options(good, edgetls.CertificateFiles{Cert: good.Key, Key: good.Key}, good)
	o.ECHKeys = []string{good.Cert}
	var keys []string
	if s := edgetls.LoadEach(o, func(key string, _ error) { keys = append(keys, key) }); s != nil {
		t.Error("a store in spite of the problems")
	}
	if want := []string{"certificates[1]", "ech_keys[0]"}; !slices.Equal(keys, want) {
		t.Errorf("problems at %q, want %q", keys, want)
	}
	if s, err := edgetls.Load(o); s != nil || err == nil {
		t.Errorf("Load: %v, %v", s, err)
	}
	s := edgetls.LoadEach(options(good), func(key string, err error) { t.Errorf("%s: %v", key, err) })
	if got := servedName(t, s, "x.example"); got != "x.example" {
		t.Errorf("served: %s", got)
	}
}
