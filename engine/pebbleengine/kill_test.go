package pebbleengine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// writerVariable turns the test binary into a process that commits to the
// directory named by its value, under the name that follows a space, and prints
// what was acknowledged.
const writerVariable = "PEBBLEENGINE_TEST_WRITE"

// writeForEver commits from several goroutines until it is killed. Each
// transaction writes a stamped key and a key of its own, and increments a
// counter.
func writeForEver(dir, name string) {
	e, err := Open(context.Background(), dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			value := bytes.Repeat([]byte{byte(w)}, 10<<(2*w%10)) // up to 2,560 bytes
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", w, n)
				if err := writeOnce(e, name, id, value); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println(id) // one system call, so printed whole or not at all
			}
		})
	}
	wg.Wait()
}

func logKey(name string) []byte      { return []byte("log/" + name + "/") }
func doneKey(name, id string) []byte { return []byte("done/" + name + "/" + id) }
func rangeOf(prefix []byte) engine.Range {
	return engine.Range{Begin: prefix, End: append(prefix[:len(prefix):len(prefix)], 0xff)}
}

func writeOnce(e *Engine, name, id string, value []byte) error {
	return engine.Run(context.Background(), e, func(tr engine.Transaction, prior error) error {
		if prior != nil {
			if v, err := tr.Get(doneKey(name, id)).Get(); v != nil || err != nil {
				return err
			}
		}
		key := logKey(name)
		at := len(key)
		key = binary.LittleEndian.AppendUint32(append(key, make([]byte, stampSize)...), uint32(at))
		tr.Atomic(engine.OpVersionstampedKey, key, []byte(id))
		tr.Set(doneKey(name, id), value)
		tr.Atomic(engine.OpAdd, []byte("count"), binary.LittleEndian.AppendUint64(nil, 1))
		return nil
	})
}

// writer is a process that writes.
type writer struct {
	name  string
	child *exec.Cmd
	out   io.Reader
	acks  chan []string // all lines it has printed, sent when it has ended
}

func startWriter(t *testing.T, dir, name string) *writer {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), writerVariable+"="+dir+" "+name, "GORACE=atexit_sleep_ms=0")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	w := &writer{name: name, child: child, out: out, acks: make(chan []string, 1)}
	go func() {
		var lines []string
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				break // a line without its end does not count
			}
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
		w.acks <- lines
	}()
	return w
}

// kill kills the process and returns the transactions acknowledged to it.
func (w *writer) kill() []string {
	_ = w.child.Process.Kill()
	lines := <-w.acks
	_ = w.child.Wait()
	return lines
}

// TestKillLoop repeatedly kills processes that commit to one directory, holders
// and attached ones, at random moments, and replaces each at once. After each
// kill, everything acknowledged to the dead process is there, and nothing is
// there twice or in part. FDBEVENTS_KILLS is the number of kills.
func TestKillLoop(t *testing.T) {
	kills := 15
	if more, err := strconv.Atoi(os.Getenv("FDBEVENTS_KILLS")); err == nil {
		kills = more
	}
	const processes = 3
	dir := t.TempDir()
	var writers [processes]*writer
	born := 0
	start := func(i int) {
		writers[i] = startWriter(t, dir, strconv.Itoa(born))
		born++
	}
	for i := range writers {
		start(i)
	}
	total, acknowledged, holders := 0, 0, 0
	bury := func(dead *writer, lines []string) {
		t.Helper()
		n := checkWriter(t, dir, dead.name, lines)
		total += n
		acknowledged += len(lines)
	}
	for k := 0; k < kills && !t.Failed(); k++ {
		time.Sleep(rand.N(80 * time.Millisecond)) // any moment will do
		victim := rand.IntN(processes)
		holder, _ := strconv.Atoi(strings.TrimPrefix(lockHolder(dir), "process "))
		for i, w := range writers {
			if w.child.Process.Pid == holder {
				if rand.IntN(2) == 0 {
					victim = i
				}
				if victim == i {
					holders++
				}
			}
		}
		dead := writers[victim]
		lines := dead.kill()
		start(victim)
		bury(dead, lines)
	}
	for _, w := range writers {
		bury(w, w.kill())
	}
	e := open(t, dir)
	defer closeEngine(t, e)
	tr := e.Begin(t.Context())
	defer tr.Cancel()
	count, err := tr.Get([]byte("count")).Get()
	if err != nil {
		t.Fatal(err)
	}
	if count == nil {
		count = make([]byte, 8)
	}
	if got := binary.LittleEndian.Uint64(count); got != uint64(total) {
		t.Errorf("the counter is %d after %d transactions", got, total)
	}
	t.Logf("%d kills, %d of holders; %d transactions, %d acknowledged", kills, holders, total, acknowledged)
}

// checkWriter checks and removes everything that a dead process wrote. It returns
// the number of transactions.
func checkWriter(t *testing.T, dir, name string, lines []string) int {
	t.Helper()
	e := open(t, dir)
	defer closeEngine(t, e)
	logged, done := map[string]int{}, map[string]int{}
	err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		clear(logged)
		clear(done)
		log, err := tr.GetRange(rangeOf(logKey(name)), engine.RangeOptions{}).Get()
		if err != nil {
			return err
		}
		marks, err := tr.GetRange(rangeOf(doneKey(name, "")), engine.RangeOptions{}).Get()
		if err != nil {
			return err
		}
		for _, kv := range log.KeyValues {
			logged[string(kv.Value)]++
		}
		for _, kv := range marks.KeyValues {
			done[string(bytes.TrimPrefix(kv.Key, doneKey(name, "")))]++
		}
		tr.ClearRange(rangeOf(logKey(name)))
		tr.ClearRange(rangeOf(doneKey(name, "")))
		return nil
	})
	if err != nil {
		t.Errorf("writer %s: %v", name, err)
		return 0
	}
	for _, line := range lines {
		if problem, failed := strings.CutPrefix(line, "error "); failed {
			t.Errorf("writer %s: %s", name, problem)
		} else if logged[line] != 1 || done[line] != 1 {
			t.Errorf("writer %s: transaction %s was acknowledged, but is there %d times, its mark %d times", name, line, logged[line], done[line])
		}
	}
	for id, n := range logged {
		if n != 1 || done[id] != 1 {
			t.Errorf("writer %s: transaction %s is there %d times, its mark %d times", name, id, n, done[id])
		}
	}
	if len(done) != len(logged) {
		t.Errorf("writer %s: %d transactions, %d marks", name, len(logged), len(done))
	}
	return len(logged)
}
