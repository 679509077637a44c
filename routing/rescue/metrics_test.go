package rescue_test

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Every metric stands in the admin API's README with its type.
func TestMetricsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("../../proxy/admin/README.md")
	if err != nil {
		t.Fatal(err)
	}
	r, _, _ := newRescue(t)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(r.Collector())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if row := "| `" + f.GetName() + "` | " + strings.ToLower(f.GetType().String()) + " |"; !strings.Contains(string(readme), row) {
			t.Errorf("the README lacks %q", row)
		}
	}
	if n := strings.Count(string(readme), "| `anyedge_rescue_"); n != len(families) {
		t.Errorf("the README has %d metrics, and there are %d", n, len(families))
	}
}
