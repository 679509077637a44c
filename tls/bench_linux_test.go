package edgetls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	edgetls "github.com/anyedge/anyedge/tls"
)

// threadTime is the processor time that this thread has taken.
func threadTime(b *testing.B) time.Duration { return processorTime(b, unix.RUSAGE_THREAD) }

func processorTime(b *testing.B, who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rival is a server's configuration, a client that keeps its own sessions, and the time that the server has taken.
type rival struct {
	name           string
	server, client *tls.Config
	cpu            time.Duration
}

// race makes b.N handshakes with each rival over loopback, in turns, so that what else runs on the machine disturbs them
// alike, and reports how many each server makes in a second of its processor. The servers' work is one thread's: that of the
// clients, in the same process, doesn't count.
func race(b *testing.B, resumes bool, rivals ...*rival) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	rounds, done := b.N, make(chan error, 1)
	go func() { done <- serveAll(b, ln, rounds, rivals) }()
	b.ResetTimer()
	for i := range rounds {
		for _, r := range rivals {
			c, err := tls.Dial("tcp", ln.Addr().String(), r.client)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil { // with it come the tickets
				b.Fatal(err)
			}
			if resumed := c.ConnectionState().DidResume; i > 0 && resumed != resumes {
				b.Fatalf("%s, handshake %d: resumed %v", r.name, i, resumed)
			}
			_ = c.Close()
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	for _, r := range rivals {
		b.ReportMetric(float64(rounds)/r.cpu.Seconds(), r.name+"/cpu-s")
		r.cpu = 0
	}
}

func serveAll(b *testing.B, ln net.Listener, rounds int, rivals []*rival) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range rounds {
		for _, r := range rivals {
			began := threadTime(b)
			if err := accept(ln, r.server); err != nil {
				return err
			}
			r.cpu += threadTime(b) - began
		}
	}
	return nil
}

func accept(ln net.Listener, config *tls.Config) error {
	conn, err := ln.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = tls.Server(conn, config).Write([]byte("x"))
	return err
}

// BenchmarkHandshake holds a store of 10,000 certificates against crypto/tls with one: full handshakes with ECDSA P-256,
// and resumed ones.
func BenchmarkHandshake(b *testing.B) {
	o := manyFiles(b, 10_000)
	store, err := edgetls.Load(o)
	if err != nil {
		b.Fatal(err)
	}
	pair, err := edgetls.LoadPair(o.Certificates[4711])
	if err != nil {
		b.Fatal(err)
	}
	bare := &tls.Config{Certificates: []tls.Certificate{*pair}, NextProtos: []string{"h2", "http/1.1"}}
	edge := store.ConfigBy(func(*tls.ClientHelloInfo, *tls.Config) *tls.Config { return nil })
	for _, curve := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519} {
		for _, kind := range []string{"full", "resumed"} {
			client := func() *tls.Config {
				c := &tls.Config{
					ServerName: "host-4711.example.com", InsecureSkipVerify: true, NextProtos: []string{"h2"}, CurvePreferences: []tls.CurveID{curve},
				}
				if kind == "resumed" {
					c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				}
				return c
			}
			b.Run(fmt.Sprintf("%s/%v", kind, curve), func(b *testing.B) {
				race(b, kind == "resumed", &rival{name: "bare", server: bare, client: client()}, &rival{name: "edge", server: edge, client: client()})
			})
		}
	}
}

// BenchmarkManyCertificates loads 10,000 certificates from files: how long that takes, what each holds of memory, and what
// looking for changes costs.
func BenchmarkManyCertificates(b *testing.B) {
	const n = 10_000
	o := manyFiles(b, n)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began, cpu := time.Now(), processorTime(b, unix.RUSAGE_SELF)
			store, err := edgetls.Load(o)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(began).Seconds(), "s/load")
			b.ReportMetric((processorTime(b, unix.RUSAGE_SELF) - cpu).Seconds(), "cpu-s/load")
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/certificate")
			runtime.KeepAlive(store)
		}
	})
	b.Run("lookup", func(b *testing.B) {
		store, err := edgetls.Load(o)
		if err != nil {
			b.Fatal(err)
		}
		choose := store.Config().GetCertificate
		hellos := make([]tls.ClientHelloInfo, n)
		for i := range hellos {
			hellos[i].ServerName = fmt.Sprintf("host-%d.example.com", i*7919%n)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			if c, _ := choose(&hellos[i%n]); c == nil {
				b.Fatal("none")
			}
		}
	})
}

// manyFiles writes n certificates, each for a host of its own, and their keys.
func manyFiles(b *testing.B, n int) edgetls.Options {
	b.Helper()
	dir := b.TempDir()
	o := edgetls.Options{MinVersion: "1.2"}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			b.Fatal(err)
		}
		return file
	}
	for i := range n {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 1), DNSNames: []string{fmt.Sprintf("host-%d.example.com", i)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			b.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			b.Fatal(err)
		}
		o.Certificates = append(o.Certificates, edgetls.CertificateFiles{
			Cert: write(fmt.Sprintf("%d.pem", i), "CERTIFICATE", cert), Key: write(fmt.Sprintf("%d.key", i), "PRIVATE KEY", der),
		})
	}
	return o
}
