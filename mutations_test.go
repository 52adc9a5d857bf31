package fdbevents

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutate is for CI, and for whoever changes a test: it compiles packages anew once a
// mutation, which takes half a minute.
var mutate = flag.Bool("mutations", false, "run the tests on deliberately broken builds")

// mutation is a deliberate bug, and the tests that have to notice it.
type mutation struct {
	name string
	// file is changed by replacing each first with each second text, which must be
	// in it just once.
	file    string
	replace [][2]string
	// tests of a folder, as go test -run wants them.
	folder, tests string
	// times is how often they are run until one fails; once when zero.
	times int
}

// mutations break a promise each. That the tests notice is what makes their
// silence worth something.
var mutations = []mutation{
	{
		name: "acknowledged before it is synced",
		file: "engine/pebbleengine/commit.go",
		replace: [][2]string{
			{"if s.durable {\n\t\t\terr = g.batch.SyncWait()", "if false {\n\t\t\terr = g.batch.SyncWait()"},
			{"if !s.durable {\n\t\treturn s.db.Apply(", "if true {\n\t\treturn s.db.Apply("},
		},
		folder: "engine/pebbleengine", tests: "TestCrash",
	},
	{
		name: "cursor by the wall clock",
		file: "fdblayer/logcursor.go",
		replace: [][2]string{
			{"\t\"slices\"\n", "\t\"slices\"\n\t\"time\"\n"},
			{"if err := next.choose(r, version); err != nil {", "version = time.Now().UnixMicro()\n\tif err := next.choose(r, version); err != nil {"},
		},
		// A run in which no two commits meet within a microsecond notices nothing.
		folder: "fdblayer", tests: "TestReadersUnderLoadMissNothing/mem", times: 20,
	},
	{
		name:    "head read as a snapshot",
		file:    "fdblayer/plan.go",
		replace: [][2]string{{"p.tr.Get(p.readKeys.Cut(", "p.tr.Snapshot().Get(p.readKeys.Cut("}},
		folder:  "fdblayer", tests: "TestStreamHistory/mem|TestConcurrentAppends/mem",
	},
	{
		name:    "condition read as a snapshot",
		file:    "fdblayer/conditionscan.go",
		replace: [][2]string{{"append(c.pages, c.plan.tr.GetRange(r, c.o))", "append(c.pages, c.plan.tr.Snapshot().GetRange(r, c.o))"}},
		folder:  "fdblayer", tests: "TestConditionHistory/mem|TestConditionsAreSerializable/mem",
	},
	{
		name:    "no look at the mark after commit unknown",
		file:    "fdblayer/marker.go",
		replace: [][2]string{{"if mark.Number != m.number {", "if mark.Number != m.number || true {"}},
		folder:  "fdblayer", tests: "TestExactlyOnce.*/mem",
	},
	{
		name:    "acknowledgement under a lost lease",
		file:    "fdblayer/groups/settle.go",
		replace: [][2]string{{"(stored.Owner != l.owner || stored.Epoch != l.epoch)", "(stored.Owner != l.owner || stored.Epoch != l.epoch) && false"}},
		folder:  "fdblayer/groups", tests: "TestGroupReset/mem",
	},
	{
		name:    "projection without its fence",
		file:    "fdblayer/projection.go",
		replace: [][2]string{{"if err == nil && at != r.at {", "if err == nil && at != r.at && false {"}},
		folder:  "fdblayer", tests: "TestProjectionEqualsTheLog/mem",
	},
}

// TestMutationsAreCaught builds each mutation over the sources, which stay as they
// are, and runs the tests that have to fail.
func TestMutationsAreCaught(t *testing.T) {
	if !*mutate {
		t.Skip("skipped: run it with -args -mutations")
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			out, err := m.run(t)
			if err == nil {
				t.Fatalf("nobody noticed; go test -run '%s' ./%s says\n%s", m.tests, m.folder, out)
			}
			if !strings.Contains(out, "--- FAIL: ") {
				t.Fatalf("the tests did not fail, but: %v\n%s", err, out)
			}
		})
	}
}

func (m *mutation) run(t *testing.T) (output string, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for _, r := range m.replace {
		if n := strings.Count(text, r[0]); n != 1 {
			t.Fatalf("%s has %q %d times, want once: bring the mutation up to date", m.file, r[0], n)
		}
		text = strings.Replace(text, r[0], r[1], 1)
	}
	dir := t.TempDir()
	mutated := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(mutated, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlayFile, "-run", m.tests,
		"-count", fmt.Sprint(max(1, m.times)), "-failfast", "-timeout", "1m", "./"+m.folder)
	b, err := cmd.CombinedOutput()
	return string(b), err
}
