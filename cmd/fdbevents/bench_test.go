package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// TestBench measures beside a store, and verifies that the store and its folder stay
// unchanged.
func TestBench(t *testing.T) {
	t.Run("file", func(t *testing.T) { testBench(t, seed(t)) })
	t.Run("mem", func(t *testing.T) { testBench(t, "--db=mem:") })
	t.Run("fdb", func(t *testing.T) { testBench(t, "--db="+fdbURL(t)) })
}

func testBench(t *testing.T, db string) {
	dir, isFile := strings.CutPrefix(db, "--db=file:")
	before := ""
	if isFile {
		before = must(t, "", "check", db)
	}
	saved := filepath.Join(t.TempDir(), "report.json")
	args := []string{"bench", db, "--only", "writers=1/", "--only", harness.HotAppend.Name(), "--rounds", "2", "--turn", "20ms", "--out", saved}
	out := must(t, "", args...)
	for _, want := range []string{harness.LoneAppend.Name(), harness.HotAppend.Name(), "events/s"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	r, err := harness.ReadFile(saved)
	if err != nil || len(r.Results) != 2 || len(r.Results[0].Samples) != 2 {
		t.Errorf("the report is %+v, %v", r, err)
	}
	out = must(t, "", append(args, "--compare", saved)...)
	if !strings.Contains(out, "slower") {
		t.Errorf("no comparison in\n%s", out)
	}
	if !isFile {
		return
	}
	equal(t, "the store itself", must(t, "", "check", db), before)
	beside, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(beside) != 1 {
		t.Errorf("the folder of the store now has %v, %v", beside, err)
	}
}

func TestBenchRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`bench takes no arguments, got ["x"]`:                                      {"x"},
		"--rounds 0, --turn 2s: want more than 0":                                  {"--rounds", "0"},
		"--only nothing: no such workload; the workloads are\n  append/writers=1/": {"--only", "nothing"},
		"read report: open ":                                                       {"--compare", filepath.Join(t.TempDir(), "none")},
	} {
		r := invoke(t, "", append([]string{"bench", "--db=mem:"}, args...)...)
		if r.code == exitOK || !strings.Contains(r.errors, want) {
			t.Errorf("%q: got %+v, want %q", args, r, want)
		}
	}
}
