package pebbleengine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/engine"
)

// holderVariable turns the test binary into a process that holds the directory
// named by its value.
const holderVariable = "PEBBLEENGINE_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holderVariable); dir != "" {
		holdForEver(dir)
	}
	if dir, name, ok := strings.Cut(os.Getenv(writerVariable), " "); ok {
		writeForEver(dir, name)
	}
	os.Exit(m.Run())
}

// holdForEver opens the directory, says so, and commits until it is killed.
func holdForEver(dir string) {
	e, err := Open(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	for n := int64(1); ; n++ {
		if err := count(context.Background(), e, "child", n); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// count runs the n-th transaction of a writer: it increments a counter once,
// whatever happens to the attempts.
func count(ctx context.Context, e *Engine, writer string, n int64) error {
	done := fmt.Appendf(nil, "done/%s/%d", writer, n)
	return engine.Run(ctx, e, func(tr engine.Transaction, prior error) error {
		if prior != nil {
			if v, err := tr.Get(done).Get(); v != nil || err != nil {
				return err
			}
		}
		tr.Set(done, nil)
		tr.Atomic(engine.OpAdd, []byte("count/"+writer), binary.LittleEndian.AppendUint64(nil, 1))
		return nil
	})
}

func counted(t *testing.T, e *Engine, writer string) int64 {
	t.Helper()
	tr := e.Begin(t.Context())
	defer tr.Cancel()
	v, err := tr.Get([]byte("count/" + writer)).Get()
	if err != nil {
		t.Fatal(err)
	}
	if v == nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(v))
}

func closeEngine(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func isHolder(e *Engine) bool { return e.store() != nil }

func TestSecondEngineAttaches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // too long for the path of a socket
	first, second := open(t, dir), open(t, dir)
	if !isHolder(first) || isHolder(second) {
		t.Fatal("want the first to hold the directory and the second to attach")
	}
	info, err := os.Stat(filepath.Join(dir, socketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket is %v, %v", info, err)
	}

	// Both engines see each other's commits, conflict with each other and wake
	// each other.
	watching := second.Begin(t.Context())
	w := watching.Watch([]byte("count/x"))
	if err := watching.Commit(); err != nil {
		t.Fatal(err)
	}
	reader := second.Begin(t.Context())
	if _, err := reader.Get([]byte("count/x")).Get(); err != nil {
		t.Fatal(err)
	}
	reader.Set([]byte("other"), nil)
	if err := count(t.Context(), first, "x", 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(t.Context()); err != nil {
		t.Errorf("watch: %v", err)
	}
	if err := reader.Commit(); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("commit: %v", err)
	}
	reader.Cancel()
	if got := counted(t, second, "x"); got != 1 {
		t.Errorf("the second engine sees %d", got)
	}

	// The second engine takes over. Whatever it has open fails with errors that
	// can be retried.
	w = nil
	armed, open := second.Begin(t.Context()), second.Begin(t.Context())
	w = armed.Watch([]byte("count/x"))
	if err := armed.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := open.ReadVersion().Get(); err != nil {
		t.Fatal(err)
	}
	closeEngine(t, first)
	if err := w.Wait(t.Context()); !engine.Retryable(err) {
		t.Errorf("watch across the end of the holder: %v", err)
	}
	if _, err := open.Get([]byte("count/x")).Get(); !engine.Retryable(err) {
		t.Errorf("read across the end of the holder: %v", err)
	}
	open.Cancel()
	if got := counted(t, second, "x"); got != 1 || !isHolder(second) {
		t.Errorf("after taking over, the second engine sees %d; holder: %v", got, isHolder(second))
	}
	closeEngine(t, second)
	if _, err := os.Stat(filepath.Join(dir, socketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket after the last close: %v", err)
	}
}

// TestHoldersComeAndGo repeatedly closes the holder and opens another engine,
// while several engines commit.
func TestHoldersComeAndGo(t *testing.T) {
	dir := t.TempDir()
	const writers, rounds = 4, 12
	var wg sync.WaitGroup
	var stop atomic.Bool
	var made [writers]int64
	first := open(t, dir)
	for w := range writers {
		e := open(t, dir)
		wg.Go(func() {
			defer closeEngine(t, e)
			for n := int64(1); !stop.Load(); n++ {
				if err := count(t.Context(), e, fmt.Sprint(w), n); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				made[w] = n
			}
		})
	}
	// The next in line takes over; a closed engine rejoins the line.
	for range rounds {
		time.Sleep(10 * time.Millisecond) // any moment will do
		closeEngine(t, first)
		first = open(t, dir)
	}
	stop.Store(true)
	wg.Wait()
	for w, n := range made {
		if got := counted(t, first, fmt.Sprint(w)); got != n || n == 0 {
			t.Errorf("writer %d made %d transactions, %d are stored", w, n, got)
		}
	}
	closeEngine(t, first)
}

// TestHolderIsKilled has engines attached to a process that is killed in the
// middle of their commits.
func TestHolderIsKilled(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), holderVariable+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
			t.Fatalf("child says %q, %v", line, err)
		}
		var wg sync.WaitGroup
		var stop atomic.Bool
		engines := []*Engine{open(t, dir), open(t, dir)}
		var made [4]int64
		for w := range made {
			e := engines[w%len(engines)]
			if isHolder(e) {
				t.Fatal("attached engine holds the directory")
			}
			wg.Go(func() {
				for n := int64(1); !stop.Load(); n++ {
					if err := count(t.Context(), e, fmt.Sprint(round, "/", w), n); err != nil {
						t.Error(err)
						return
					}
					made[w] = n
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		time.Sleep(50 * time.Millisecond)
		stop.Store(true)
		wg.Wait()
		for w, n := range made {
			if got := counted(t, engines[0], fmt.Sprint(round, "/", w)); got != n || n == 0 {
				t.Errorf("round %d: writer %d made %d transactions, %d are stored", round, w, n, got)
			}
		}
		if isHolder(engines[0]) == isHolder(engines[1]) {
			t.Error("want exactly one of the two to have taken over")
		}
		for _, e := range engines {
			closeEngine(t, e)
		}
	}
}

// TestVanishedClientLeavesNothing breaks a connection and checks what the server
// still keeps.
func TestVanishedClientLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	holding, attached := open(t, dir), open(t, dir)
	defer closeEngine(t, holding)
	tr := attached.Begin(t.Context())
	if _, err := tr.ReadVersion().Get(); err != nil {
		t.Fatal(err)
	}
	watching := attached.Begin(t.Context())
	watching.Watch([]byte("k"))
	if err := watching.Commit(); err != nil {
		t.Fatal(err)
	}
	h := (*holding.now.Load()).(*holder)
	old := h.current.Load()
	// The second transaction releases its view without waiting for an answer.
	for begin := time.Now(); old.leases.Load() != 2 || h.watches.armed.Load() != 1; {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%d leases, %d watches", old.leases.Load(), h.watches.armed.Load())
		}
		runtime.Gosched()
	}
	h.server.mu.Lock()
	var over chan struct{}
	for x := range h.server.sessions {
		over = x.over
		_ = x.conn.Close()
	}
	h.server.mu.Unlock()
	<-over
	if old.leases.Load() != 1 || h.watches.armed.Load() != 0 {
		t.Errorf("%d leases, %d watches", old.leases.Load(), h.watches.armed.Load())
	}
	if _, err := tr.Get([]byte("k")).Get(); !engine.Retryable(err) {
		t.Errorf("read over a broken connection: %v", err)
	}
	tr.Cancel()
	if err := count(t.Context(), attached, "x", 1); err != nil {
		t.Errorf("after attaching again: %v", err)
	}
	closeEngine(t, attached)
}

func TestDirectoryThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer")
	e := open(t, newer)
	b := e.store().db.NewBatch()
	if err := errors.Join(b.Set(formatKey, binary.BigEndian.AppendUint64(nil, format+1), nil), b.Commit(pebble.Sync)); err != nil {
		t.Fatal(err)
	}
	closeEngine(t, e)
	for _, c := range []struct{ dir, text string }{
		{file, "not a directory"},
		{filepath.Join(file, "below"), "not a directory"},
		{dir, `other files, for example "newer"`},
		{newer, "format 2"},
	} {
		if _, err := Open(t.Context(), c.dir); err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), c.dir) {
			t.Errorf("open %s: %v", c.dir, err)
		}
	}
}

func TestNoGoroutineOutlivesClose(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	engines := []*Engine{openMemory(t), open(t, dir), open(t, dir), open(t, dir)}
	for i, e := range engines {
		if err := count(t.Context(), e, "x", int64(i)); err != nil {
			t.Fatal(err)
		}
		tr := e.Begin(t.Context())
		tr.Watch([]byte("count/x"))
		if err := tr.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range engines {
		closeEngine(t, e)
	}
	// Pebble and net/rpc leave a few of their goroutines to end by themselves.
	for begin := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// otherVersion answers Hello as another version of the program would.
type otherVersion struct{}

func (otherVersion) Hello(_ *helloArgs, r *helloReply) error {
	r.Protocol = protocol + 1
	return nil
}

func TestHolderOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	l, err := tryLock(dir)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	defer l.release()

	// Open waits for a holder that does not answer, and names it.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, dir); !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("open of a silent holder's directory: %v", err)
	}

	listener, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	calls := rpc.NewServer()
	if err := calls.RegisterName(serviceName, otherVersion{}); err != nil {
		t.Fatal(err)
	}
	go calls.Accept(listener)
	if _, err := Open(t.Context(), dir); !errors.Is(err, errProtocol) {
		t.Errorf("open of another version's directory: %v", err)
	}
}

// TestLinkIsClosedTwice: a lost link is closed when another backend is looked
// for, and by the engine if none was found.
func TestLinkIsClosedTwice(t *testing.T) {
	dir := t.TempDir()
	holder, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	l, err := attach(t.Context(), dir, clientID{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- errors.Join(l.close(), l.close()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the second close hangs")
	}
}

// TestDamagedTableIsAnError: damage is an error for the reader of the damaged
// data, and does not end the process.
func TestDamagedTableIsAnError(t *testing.T) {
	dir := t.TempDir()
	key := []byte("key")
	open := func() *Engine {
		t.Helper()
		e, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := open()
	if err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		tr.Set(key, make([]byte, 50_000))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// An engine moves what it finds in the write-ahead log into a table.
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = open()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "store", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	for _, table := range tables {
		f, err := os.OpenFile(table, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte(strings.Repeat("damage", 20)), 0)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	e, err = Open(t.Context(), dir)
	if err == nil {
		defer e.Close()
		tr := e.Begin(t.Context())
		defer tr.Cancel()
		_, err = tr.Get(key).Get()
	}
	if err == nil || !strings.Contains(err.Error(), "corruption") {
		t.Errorf("got %v, want an error about corruption", err)
	}
}
