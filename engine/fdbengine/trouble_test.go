//go:build fdb

package fdbengine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine"
	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
)

// silence returns the cluster file of a cluster that accepts connections and
// never answers.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	file := filepath.Join(t.TempDir(), "fdb.cluster")
	if err := os.WriteFile(file, fmt.Appendf(nil, "nobody:nobody@%s\n", l.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "fdb.cluster")
	if _, err := fdbengine.Open(t.Context(), missing, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing cluster file: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "fdb.cluster")
	if err := os.WriteFile(broken, []byte("not a connection string\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := fdbengine.Open(ctx, broken, nil); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("a cluster file without a cluster: %v", err)
	} else {
		t.Log(err)
	}
	if _, err := fdbengine.Open(ctx, silence(t), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cluster that does not answer: %v", err)
	}
}

// TestNothingHangs makes every waiting call wait for a cluster that does not
// answer.
func TestNothingHangs(t *testing.T) {
	t.Parallel()
	e, err := fdbengine.OpenUnasked(silence(t))
	if err != nil {
		t.Fatal(err)
	}
	all := engine.Range{Begin: []byte("a"), End: []byte("b")}
	waits := map[string]func(tr engine.Transaction) error{
		"get":   func(tr engine.Transaction) error { _, err := tr.Get(all.Begin).Get(); return err },
		"range": func(tr engine.Transaction) error { _, err := tr.GetRange(all, engine.RangeOptions{}).Get(); return err },
		"bounded range": func(tr engine.Transaction) error {
			_, err := tr.GetRange(all, engine.RangeOptions{Bytes: 9}).Get()
			return err
		},
		"read version": func(tr engine.Transaction) error { _, err := tr.ReadVersion().Get(); return err },
		"versionstamp": func(tr engine.Transaction) error { _, err := tr.Versionstamp().Get(); return err },
		"commit":       func(tr engine.Transaction) error { tr.Set(all.Begin, nil); return tr.Commit() },
		"commit after a bounded range": func(tr engine.Transaction) error {
			tr.GetRange(all, engine.RangeOptions{Bytes: 9})
			tr.Set(all.Begin, nil)
			return tr.Commit()
		},
		"watch": func(tr engine.Transaction) error { return tr.Watch(all.Begin).Wait(t.Context()) },
	}
	var waiting sync.WaitGroup
	for name, wait := range waits {
		waiting.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			tr := e.Begin(ctx)
			defer tr.Cancel()
			if err := wait(tr); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s under a context that ends: %v", name, err)
			} else if strings.HasPrefix(name, "commit") && !engine.MaybeCommitted(err) {
				t.Errorf("%s: the error claims that it did not happen, which nobody can know: %v", name, err)
			}
		})
		waiting.Go(func() {
			tr := e.Begin(context.Background())
			time.AfterFunc(200*time.Millisecond, tr.Cancel)
			if err := wait(tr); !errors.Is(err, engine.ErrCancelled) {
				t.Errorf("%s of a cancelled transaction: %v", name, err)
			}
		})
	}
	waiting.Wait()

	for name, wait := range waits {
		if strings.HasPrefix(name, "commit") {
			continue // Close waits for it
		}
		waiting.Go(func() {
			tr := e.Begin(context.Background())
			if err := wait(tr); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("%s of a closed engine: %v", name, err)
			}
		})
	}
	time.AfterFunc(200*time.Millisecond, func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	waiting.Wait()
}

// TestServerIsKilled kills, under load, the server of a cluster that it has
// started.
func TestServerIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	t.Parallel()
	server, err := fdbtest.Start(t.Context())
	if errors.Is(err, fdbtest.ErrNoServer) {
		t.Skip("skipped: no FoundationDB")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	e, err := fdbengine.Open(t.Context(), server.ClusterFile(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()

	tr := e.Begin(t.Context())
	defer tr.Cancel()
	armed := tr.Watch([]byte("doorbell"))
	if err := tr.Commit(); err != nil {
		t.Fatal(err)
	}

	const writers = 6
	stamps := make([][]engine.Stamp, writers)
	began := make(chan struct{}, writers)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				var stamp engine.Future[engine.Stamp]
				key := fmt.Appendf(nil, "log/%d/%04d", w, i)
				err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
					stamp = tr.Versionstamp()
					tr.Atomic(engine.OpVersionstampedValue, key, make([]byte, 14))
					return nil
				})
				if ctx.Err() != nil {
					return
				}
				s, stampErr := stamp.Get()
				if err := errors.Join(err, stampErr); err != nil {
					t.Errorf("commit: %v", err)
					began <- struct{}{}
					return
				}
				stamps[w] = append(stamps[w], s)
				if i == 20 {
					began <- struct{}{}
				}
			}
		})
	}
	for range writers {
		<-began
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for w := range writers { // the same engine continues
		err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
			tr.Set(fmt.Appendf(nil, "after/%d", w), nil)
			tr.Set([]byte("doorbell"), nil)
			return nil
		})
		if err != nil {
			t.Fatalf("commit after the restart: %v", err)
		}
	}
	wait, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := armed.Wait(wait); wait.Err() != nil {
		t.Errorf("the watch from before the restart neither fired nor failed: %v", err)
	}
	stop()
	writing.Wait()
	for w := range writers {
		err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
			for i, s := range stamps[w] {
				got, err := tr.Snapshot().Get(fmt.Appendf(nil, "log/%d/%04d", w, i)).Get()
				if err != nil {
					return err
				}
				if string(got) != string(s[:]) {
					t.Errorf("commit %d of writer %d has the stamp %x, want %x", i, w, got, s)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaults runs TestFaultyClient in a process whose client misbehaves.
func TestFaults(t *testing.T) {
	file := cluster.File(t)
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestFaultyClient$", "-test.v", "-test.timeout=1m")
	child.Env = append(append(os.Environ(), fdbtest.Faults()...), fdbtest.Variable+"="+file, faulty+"=1")
	said, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "attempts") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

const faulty = "FDBENGINE_FAULTY_CLIENT"

// TestFaultyClient increments a counter under faults, once for each count: the
// count's own key shows an attempt whether the previous one has counted.
func TestFaultyClient(t *testing.T) {
	if os.Getenv(faulty) == "" {
		t.Skip("run by TestFaults")
	}
	e := cluster.Open(t)
	key := func(name string) []byte { return append(append([]byte(nil), e.Prefix()...), name...) }
	const workers, counts = 6, 15
	var mu sync.Mutex
	priors := map[string]int{}
	attempts := 0
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			for i := range counts {
				mark := key(fmt.Sprintf("done/%d/%d", w, i))
				doubt := false // whether any attempt may have committed
				err := engine.Run(t.Context(), e, func(tr engine.Transaction, prior error) error {
					mu.Lock()
					attempts++
					if prior != nil {
						priors[prior.Error()]++
					}
					mu.Unlock()
					// The attempt that checks the mark can fail before it has done so.
					doubt = doubt || engine.MaybeCommitted(prior)
					if doubt {
						if done, err := tr.Get(mark).Get(); err != nil || done != nil {
							return err
						}
					}
					got, err := tr.Get(key("count")).Get()
					if err != nil {
						return err
					}
					n := 0
					if got != nil {
						if _, err := fmt.Sscan(string(got), &n); err != nil {
							return err
						}
					}
					tr.Set(key("count"), fmt.Append(nil, n+1))
					tr.Set(mark, nil)
					return nil
				})
				if err != nil {
					t.Errorf("run: %v", err)
				}
			}
		})
	}
	working.Wait()
	err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		got, err := tr.Get(key("count")).Get()
		if err == nil && string(got) != fmt.Sprint(workers*counts) {
			t.Errorf("count is %s, want %d", got, workers*counts)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d counts in %d attempts, after %v", workers*counts, attempts, priors)
}
