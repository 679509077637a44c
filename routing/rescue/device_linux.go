package rescue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// tunDevice is the kernel's part: a TUN device to which a program sends segments that no socket is for, and by which those
// of others come in. All of it ends with the process's descriptors, however that ends. It is a kernel.
type tunDevice struct {
	file  *os.File
	name  string
	index int

	vips, looked *ebpf.Map
	program      *ebpf.Program

	mu     sync.Mutex        // guards the following fields
	links  map[int]link.Link // by interface
	closed bool
}

// tunPath is where TUN devices are made.
const tunPath = "/dev/net/tun"

// queueLen is how many segments may wait for the reader: some milliseconds of them.
const queueLen = 4096

func openDevice() (_ kernel, err error) {
	d := &tunDevice{links: map[int]link.Link{}}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if err = d.openTUN(); err != nil {
		return nil, err
	}
	if err = d.load(); err != nil {
		return nil, err
	}
	return d, nil
}

// openTUN makes the device, which the kernel names.
func (d *tunDevice) openTUN() error {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", tunPath, err)
	}
	request, _ := unix.NewIfreq("anyedge%d") // short enough
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("make a TUN device: %w", err)
	}
	d.file, d.name = os.NewFile(uintptr(fd), tunPath), request.Name()
	if err := d.bringUp(); err != nil {
		return fmt.Errorf("TUN device %s: %w", d.name, err)
	}
	return nil
}

func (d *tunDevice) bringUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	set := func(call uint, value func(*unix.Ifreq)) error {
		request, err := unix.NewIfreq(d.name)
		if err != nil {
			return err
		}
		value(request)
		return unix.IoctlIfreq(s, call, request)
	}
	if err := d.acceptAll(); err != nil {
		return err
	}
	_ = set(unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) { r.SetUint32(queueLen) }) // the kernel's own length serves
	if err := set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) { r.SetUint16(unix.IFF_UP | unix.IFF_NOARP) }); err != nil {
		return err
	}
	i, err := net.InterfaceByName(d.name)
	if err != nil {
		return err
	}
	d.index = i.Index
	return nil
}

// acceptAll has the kernel take packets from the device whose answers leave by another one (reverse path filter, RFC 3704).
// The larger of the device's value and the one for all holds; 1 is strict.
func (d *tunDevice) acceptAll() error {
	const conf = "/proc/sys/net/ipv4/conf"
	value := "0"
	if all, err := os.ReadFile(filepath.Join(conf, "all/rp_filter")); err == nil && strings.TrimSpace(string(all)) == "1" {
		value = "2"
	}
	own := filepath.Join(conf, d.name, "rp_filter")
	writeErr := os.WriteFile(own, []byte(value), 0)
	if now, err := os.ReadFile(own); err == nil && (strings.TrimSpace(string(now)) == value || strings.TrimSpace(string(now)) == "2") {
		return nil // it was so already
	}
	return fmt.Errorf("the reverse path filter would drop what it brings: %w", writeErr)
}

// license is what the program says of itself: the kernel lets nobody else check SYN cookies.
const license = "Dual MIT/GPL"

// load loads the program and its maps.
func (d *tunDevice) load() (err error) {
	if d.vips, err = ebpf.NewMap(&ebpf.MapSpec{Name: "anyedge_vips", Type: ebpf.Hash, KeySize: vipLen, ValueSize: 1, MaxEntries: 4096}); err != nil {
		return fmt.Errorf("make a BPF map: %w", err)
	}
	if d.looked, err = ebpf.NewMap(&ebpf.MapSpec{Name: "anyedge_counts", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: kernelCounts}); err != nil {
		return fmt.Errorf("make a BPF map: %w", err)
	}
	d.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "anyedge_rescue", Type: ebpf.SchedCLS, Instructions: program(d.vips, d.looked, d.index), License: license,
	})
	if err != nil {
		return fmt.Errorf("load the BPF program: %w", err)
	}
	return nil
}

// attach has packets pass the program that come by any interface but loopback and the device itself. It may be called again:
// interfaces come and go.
func (d *tunDevice) attach() (int, error) {
	all, err := net.Interfaces()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || d.closed {
		return len(d.links), err
	}
	var errs []error
	there := map[int]bool{}
	for _, i := range all {
		there[i.Index] = true
		if d.links[i.Index] != nil || i.Index == d.index || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		l, err := link.AttachTCX(link.TCXOptions{Interface: i.Index, Program: d.program, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			errs = append(errs, fmt.Errorf("attach to %s: %w", i.Name, err))
			continue
		}
		d.links[i.Index] = l
	}
	for index, l := range d.links {
		if !there[index] {
			_ = l.Close()
			delete(d.links, index)
		}
	}
	return len(d.links), errors.Join(errs...)
}

// detach has packets go as they would without a rescue.
func (d *tunDevice) detach() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for index, l := range d.links {
		_ = l.Close()
		delete(d.links, index)
	}
}

// serve adds a VIP or removes it. A device that is closed rescues none, which ends no listener.
func (d *tunDevice) serve(vip netip.AddrPort, on bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	if on {
		return d.vips.Put(vipKey(vip), byte(1))
	}
	if err := d.vips.Delete(vipKey(vip)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	return nil
}

// counts are the kernel's counters.
func (d *tunDevice) counts() (c [kernelCounts]uint64) {
	for i := range c {
		var each []uint64
		if d.looked.Lookup(uint32(i), &each) == nil {
			for _, n := range each {
				c[i] += n
			}
		}
	}
	return c
}

// The key of the map of VIPs: address, port in network order, family.
const (
	vipPort   = 16
	vipFamily = 18
	vipLen    = 20
)

func vipKey(vip netip.AddrPort) []byte {
	key := make([]byte, vipLen)
	copy(key, vip.Addr().AsSlice())
	binary.BigEndian.PutUint16(key[vipPort:], vip.Port())
	key[vipFamily] = 6
	if vip.Addr().Is4() {
		key[vipFamily] = 4
	}
	return key
}

// maxBatch is how many packets are read before what is to be sent is.
const maxBatch = 64

// read hands packets to take, and calls idle when there are none for now, until the device is closed.
func (d *tunDevice) read(take func(packet []byte), idle func()) error {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return err
	}
	b := make([]byte, 1<<16)
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		defer idle()
		for n := 1; ; n++ {
			length, err := unix.Read(int(fd), b)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false // waits
			case err != nil:
				readErr = err
				return true
			default:
				take(b[:length])
			}
			if n%maxBatch == 0 {
				idle()
			}
		}
	})
	return errors.Join(err, readErr)
}

func (d *tunDevice) device() string { return d.name }

// write has the host receive a packet as one that the device brings.
func (d *tunDevice) write(packet []byte) error {
	_, err := d.file.Write(packet)
	return err
}

// Close removes the device and the program. It may be called again.
func (d *tunDevice) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	for index, l := range d.links {
		_ = l.Close()
		delete(d.links, index)
	}
	if d.program != nil {
		_ = d.program.Close()
	}
	if d.vips != nil {
		_ = d.vips.Close()
	}
	if d.looked != nil {
		_ = d.looked.Close()
	}
	if d.file != nil {
		_ = d.file.Close()
	}
}
