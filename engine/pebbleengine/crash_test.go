package pebbleengine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/fdbevents/fdbevents/engine"
)

// TestCrashKeepsWhatWasAcknowledged cuts the power at random moments while
// transactions commit. Each writes two keys, so that a torn one would show.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	for round := range uint64(8) {
		fs := vfs.NewCrashableMem()
		e := openDisk(t, fs)
		var acknowledged [16]atomic.Int64
		var stop atomic.Bool
		var wg sync.WaitGroup
		for w := range acknowledged {
			wg.Go(func() {
				for n := int64(1); !stop.Load(); n++ {
					tr := e.Begin(t.Context())
					tr.Set(fmt.Appendf(nil, "a%d/%d", w, n), make([]byte, 100))
					tr.Set(fmt.Appendf(nil, "b%d/%d", w, n), nil)
					tr.Atomic(engine.OpAdd, fmt.Appendf(nil, "n%d", w), binary.LittleEndian.AppendUint64(nil, 1))
					if err := tr.Commit(); err != nil {
						t.Error(err)
						return
					}
					acknowledged[w].Store(n)
				}
			})
		}
		time.Sleep(time.Duration(10+rand.IntN(30)) * time.Millisecond) // any moment will do
		var promised [len(acknowledged)]int64
		for w := range promised {
			promised[w] = acknowledged[w].Load()
		}
		before := e.store().current.Load().at
		rest := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(round%3) * 50, RNG: rand.New(rand.NewPCG(round, 3))})
		stop.Store(true)
		wg.Wait()
		if err := e.Close(); err != nil {
			t.Error(err)
		}

		e = openDisk(t, rest)
		tr := e.Begin(t.Context())
		for w, n := range promised {
			count, err := tr.Get(fmt.Appendf(nil, "n%d", w)).Get()
			if err != nil {
				t.Fatal(err)
			}
			kept := int64(0)
			if count != nil {
				kept = int64(binary.LittleEndian.Uint64(count))
			}
			if kept < n {
				t.Errorf("round %d: writer %d has %d transactions, %d were acknowledged", round, w, kept, n)
			}
			for i := int64(1); i <= kept+2; i++ {
				a, errA := tr.Get(fmt.Appendf(nil, "a%d/%d", w, i)).Get()
				b, errB := tr.Get(fmt.Appendf(nil, "b%d/%d", w, i)).Get()
				if err := errors.Join(errA, errB); err != nil {
					t.Fatal(err)
				}
				if want := i <= kept; (a != nil) != want || (b != nil) != want {
					t.Errorf("round %d: transaction %d of writer %d is torn", round, i, w)
				}
			}
		}
		if version, err := tr.ReadVersion().Get(); err != nil || version < before {
			t.Errorf("version after the crash is %d, %v; %d was published", version, err, before)
		}
		tr.Cancel()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (e *Engine) store() *store {
	switch b := (*e.now.Load()).(type) {
	case *store:
		return b
	case *holder:
		return b.store
	}
	return nil
}

// TestFailedSyncEndsCommits makes the disk fail. From then on nothing is
// acknowledged, no unsynced data is read, and every caller gets an answer.
func TestFailedSyncEndsCommits(t *testing.T) {
	disk := errors.New("disk is broken")
	var breaks atomic.Bool
	fs := vfs.NewCrashableMem()
	e := openDisk(t, errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		isLog := strings.HasSuffix(op.Path, ".log")
		if breaks.Load() && isLog && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileFlush) {
			return disk
		}
		return nil
	})))
	commit := func(key string) error {
		tr := e.Begin(t.Context())
		tr.Set([]byte(key), nil)
		return tr.Commit()
	}
	if err := commit("before"); err != nil {
		t.Fatal(err)
	}
	watching := e.Begin(t.Context())
	w := watching.Watch([]byte("before"))
	if err := watching.Commit(); err != nil {
		t.Fatal(err)
	}
	breaks.Store(true)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if err := commit(fmt.Sprint("during", i)); err == nil {
				t.Error("a commit succeeded on a broken disk")
			}
		})
	}
	wg.Wait()
	if err := w.Wait(t.Context()); err == nil {
		t.Error("a watch fired")
	}
	err := commit("after")
	if err == nil || engine.Retryable(err) || !strings.Contains(err.Error(), disk.Error()) {
		t.Errorf("a later commit: %v", err)
	}
	tr := e.Begin(t.Context())
	page, err := tr.GetRange(engine.Range{End: keyLimit}, engine.RangeOptions{}).Get()
	if err != nil || len(page.KeyValues) != 1 {
		t.Errorf("reading everything gives %q, %v", page.KeyValues, err)
	}
	tr.Cancel()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	e = openDisk(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	defer e.Close()
	if err := commit("again"); err != nil {
		t.Error(err)
	}
}
