package rescue

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Missing says what this host, or this process, lacks; nil: nothing that can be seen without trying.
func Missing() error {
	var errs []error
	if major, minor := kernelVersion(); major < 6 || major == 6 && minor < 6 {
		errs = append(errs, fmt.Errorf("this kernel, %d.%d, has no TCX, which came with Linux 6.6", major, minor))
	}
	if err := unix.Faccessat(unix.AT_FDCWD, tunPath, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
		errs = append(errs, fmt.Errorf("uid %d can't open %s (modprobe tun; mode 0666; systemd: PrivateDevices=no): %w", os.Geteuid(), tunPath, err))
	}
	for _, c := range []struct {
		number int
		name   string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_BPF, "CAP_BPF"}} {
		if !capable(c.number) {
			errs = append(errs, fmt.Errorf("uid %d has no %s (systemd: AmbientCapabilities and CapabilityBoundingSet)", os.Geteuid(), c.name))
		}
	}
	return errors.Join(errs...)
}

// capable says whether this process has a capability, or CAP_SYS_ADMIN, which has most of them.
func capable(number int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return true // who can't see tries
	}
	return data[number/32].Effective&(1<<(number%32)) != 0
}

func kernelVersion() (major, minor int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0
	}
	_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor) // zeros where it is no version
	return major, minor
}
