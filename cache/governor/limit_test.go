package governor

import (
	"testing"
	"testing/fstest"
)

func files(m map[string]string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for name, text := range m {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestFind(t *testing.T) {
	const meminfo = "MemFree: 1 kB\nMemTotal:       8388608 kB\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
		used  int64
	}{
		"nothing tells":    {nil, unknownLimit, 0},
		"no cgroup":        {map[string]string{"proc/meminfo": meminfo}, 8 << 30, 0},
		"malformed":        {map[string]string{"proc/meminfo": "MemTotal: much kB\n", "proc/self/cgroup": "0\nx:y\n"}, unknownLimit, 0},
		"cgroup unlimited": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 8 << 30, 0},
		"cgroup v2": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
			"sys/fs/cgroup/a/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.current": "900\n",
			"sys/fs/cgroup/a/memory.stat": "anon 500\nactive_file 300\ninactive_file 100\n",
		}, 1 << 30, 500},
		"container that sees its own as the root": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../elsewhere\n", "sys/fs/cgroup/memory.max": "2147483648\n",
			"sys/fs/cgroup/memory.current": "7\n",
		}, 2 << 30, 7},
		"cgroup v1": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "3:cpu:/x\n4:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1048576\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "5\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 1 << 20, 5},
		"cgroup above the machine": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999999\n",
		}, 8 << 30, 0},
	} {
		root := files(tt.files)
		g := find(root)
		if g.limit != tt.want {
			t.Errorf("%s: the limit is %d, want %d", name, g.limit, tt.want)
		}
		if used := g.used(root); used != tt.used {
			t.Errorf("%s: %d are in use, want %d", name, used, tt.used)
		}
	}
}

func TestRead(t *testing.T) {
	root := files(nil)
	g := find(root)
	r := g.read(root)
	if r.Live <= 0 || r.Live > 4*gib {
		t.Errorf("got %+v", r)
	}
}

func TestAmount(t *testing.T) {
	for _, tt := range []struct {
		amount Amount
		want   int64
	}{
		{Amount{Bytes: 5 << 20}, 5 << 20}, {Amount{Share: 0.5}, 50 << 20}, {Amount{Share: 0.001}, minBytes},
	} {
		if got := tt.amount.Of(100 << 20); got != tt.want {
			t.Errorf("%+v: got %d, want %d", tt.amount, got, tt.want)
		}
	}
	for amount, bad := range map[Amount]bool{
		{}: true, {Bytes: 1}: true, {Share: 0.81}: true, {Share: 0.8}: false, {Bytes: 1 << 20}: false,
	} {
		reported := false
		(&Options{Memory: amount}).Check(func(string, string) { reported = true })
		if reported != bad {
			t.Errorf("%+v: reported %v", amount, reported)
		}
	}
}
