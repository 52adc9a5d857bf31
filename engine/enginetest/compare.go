package enginetest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// goldenPrograms are programs that once showed a difference, each as small as it
// could be made.
//
//go:embed testdata/*.txt
var goldenPrograms embed.FS

func modelCases() []testCase {
	return []testCase{
		{"random programs behave as on the model", func(f *fixture) {
			seed := f.harness.Seed
			if seed == 0 {
				seed = uint64(time.Now().UnixNano())
			}
			Compare(f.T, seed, 40, f.engine)
		}},
		{"programs that once showed a difference behave as on the model", golden},
	}
}

func golden(f *fixture) {
	files, err := fs.Glob(goldenPrograms, "testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("programs: %v, %v", files, err)
	}
	for _, name := range files {
		f.T.Run(strings.TrimPrefix(name, "testdata/"), func(t *testing.T) {
			source, err := goldenPrograms.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := parseProgram(string(source))
			if err != nil {
				t.Fatal(err)
			}
			for range 5 { // a slow machine spoils some runs
				d, err := difference(f.ctx, p, f.engine)
				if errors.Is(err, errGone) {
					continue
				}
				if err != nil || d != "" {
					t.Errorf("%v%s", err, d)
				}
				return
			}
			t.Skip("the machine is too slow")
		})
	}
}

// Compare runs the random programs of n seeds, starting with seed, on a model and
// on engines, and compares the outcomes call by call. A program that shows a
// difference is made as small as possible and printed: it belongs in testdata.
func Compare(t *testing.T, seed uint64, n int, engines ...engine.Engine) {
	t.Helper()
	spoilt := 0
	for i := range uint64(n) {
		p := drawProgram(seed+i, 30+int((seed+i)%5)*20)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		d, err := difference(ctx, p, engines...)
		if d != "" {
			p = shrink(p, func(p program) bool {
				d, err := difference(ctx, p, engines...)
				return d != "" && err == nil
			})
			if again, err := difference(ctx, p, engines...); err == nil && again != "" {
				d = again
			}
			t.Errorf("seed %d:\n%s", seed+i, d)
		}
		cancel()
		switch {
		case errors.Is(err, errGone):
			spoilt++
		case err != nil:
			t.Fatalf("seed %d: %v", seed+i, err)
		}
	}
	if spoilt > 0 {
		t.Logf("%d of %d programs could not be compared: the machine is slow", spoilt, n)
	}
	if spoilt > n/2 {
		t.Errorf("%d of %d programs could not be compared", spoilt, n)
	}
}

// runs numbers the program runs of this process: each has its own keys.
var runs atomic.Int64

// difference runs p on a model and on engines. If they differ, it returns the
// program with its outcomes, otherwise "".
func difference(ctx context.Context, p program, engines ...engine.Engine) (string, error) {
	run := fmt.Sprint(runs.Add(1), "/")
	expected, err := play(ctx, newModel(), p, run, nil)
	if err != nil {
		return "", err
	}
	for _, e := range engines {
		// This is the longest wait for a watch that must fire but does not.
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		got, err := play(ctx, e, p, run, expected)
		cancel()
		if err != nil {
			return "", err
		}
		if !slices.Equal(got, expected) {
			return transcript(p, e, expected, got), nil
		}
	}
	return "", nil
}

// transcript returns a program with the outcomes of the model and of an engine.
func transcript(p program, e engine.Engine, expected, got []string) string {
	var b strings.Builder
	for i := range got {
		line := "# all that is stored"
		if i < len(p) {
			line = p[i].String()
		}
		switch {
		case got[i] != expected[i]:
			fmt.Fprintf(&b, "%s\n# model:  %s\n# engine: %s   (%s)\n", line, expected[i], got[i], e)
		case got[i] == "":
			fmt.Fprintln(&b, line)
		default:
			fmt.Fprintf(&b, "%s # %s\n", line, got[i])
		}
	}
	return b.String()
}

// shrink drops calls as long as the rest still fails, at first many at a time.
func shrink(p program, fails func(program) bool) program {
	for size := len(p) / 2; size > 0; {
		dropped := false
		for at := 0; at+size <= len(p); {
			less := slices.Concat(p[:at], p[at+size:])
			if fails(less) {
				p, dropped = less, true
			} else {
				at += size
			}
		}
		if !dropped || size > 1 {
			size /= 2
		}
	}
	return p
}
