package harness

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestAdd checks that results of the later run replace older ones and that all others
// stay.
func TestAdd(t *testing.T) {
	result := func(w Workload, system string, rounds int) Result {
		return Result{Workload: w, System: system, Samples: make([]Sample, rounds)}
	}
	path := filepath.Join(t.TempDir(), "report.json")
	old := &Report{
		Format: ReportFormat, Command: "first", Seconds: 2,
		Systems: []SystemReport{{Name: "a", Version: "1"}, {Name: "b", Version: "1"}, {Name: "c", Missing: "why"}},
		Results: []Result{result(LoneAppend, "a", 5), result(LoneAppend, "b", 5), result(HotAppend, "a", 5)},
	}
	if err := old.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	old, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{
		Format: ReportFormat, Command: "second", Seconds: 1,
		Systems: []SystemReport{{Name: "a", Version: "2"}, {Name: "b"}},
		Results: []Result{result(LoneAppend, "a", 3)},
	}
	r.Add(old)
	for _, want := range []struct {
		workload Workload
		system   string
		rounds   int
	}{{LoneAppend, "a", 3}, {LoneAppend, "b", 5}, {HotAppend, "a", 5}} {
		if x := r.Find(want.workload.Name(), want.system); x == nil || len(x.Samples) != want.rounds {
			t.Errorf("%s of %s: got %+v, want %d rounds", want.workload.Name(), want.system, x, want.rounds)
		}
	}
	if want := []SystemReport{{Name: "a", Version: "2"}, {Name: "b", Version: "1"}, {Name: "c", Missing: "why"}}; !slices.Equal(r.Systems, want) {
		t.Errorf("the systems are %+v", r.Systems)
	}
	if r.Command != "first && second" || r.Seconds != 3 || len(r.Results) != 3 {
		t.Errorf("got %q, %v s, %d results", r.Command, r.Seconds, len(r.Results))
	}
}
