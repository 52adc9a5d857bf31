package fdblayer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// crashing is the environment variable that names the directory to the process that
// TestProjectionCrash kills.
const crashing = "FDBEVENTS_TEST_PROJECTION_CRASH"

// TestProjectionCrash kills a process in the middle of appending and projecting,
// again and again, and then compares its view with the log.
func TestProjectionCrash(t *testing.T) {
	if dir := os.Getenv(crashing); dir != "" {
		appendAndProject(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	var o fdblayer.ProjectOptions
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestProjectionCrash$")
		cmd.Env = append(os.Environ(), crashing+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		batches := bufio.NewScanner(out)
		for range 20 + 7*round {
			if !batches.Scan() {
				t.Error("the process ended on its own")
				break
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed

		e, err := pebbleengine.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.CheckStore(t, s)
		if round%2 == 1 { // the other rounds leave it to the next process
			projectUntilCaughtUp(t, s, "sums", o, sums{}.project)
			sameView(t, fmt.Sprint("after crash ", round), readView(t, s, "sums"), computed(t, s, o))
		}
		if err := errors.Join(s.Close(), e.Close()); err != nil {
			t.Error(err)
		}
	}
}

// appendAndProject prints a line for each batch until it is killed.
func appendAndProject(t *testing.T, dir string) {
	e, err := pebbleengine.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := s.Append(ctx, fmt.Sprint("s", w), fdbevents.Any, storetest.Event(fmt.Sprint("type", i%3))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	err = s.Project(ctx, "sums", fdblayer.ProjectOptions{}, func(ctx context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		fmt.Println(len(events))
		return sums{}.project(ctx, tx, events)
	})
	cancel()
	writers.Wait()
	t.Fatal(err)
}
