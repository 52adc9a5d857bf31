package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/google/uuid"
)

// memberCommand makes the test binary act as a member of the group "work" in the store that
// the next argument names.
const memberCommand = "member-of-group"

const (
	groupLoad    = 8 * time.Second
	groupStreams = 24
	groupLease   = time.Second
)

func openGroup(ctx context.Context, url string) (s *fdblayer.Store, g *groups.Group, closeAll func() error, err error) {
	e, err := engines.Open(ctx, url)
	if err != nil {
		return nil, nil, nil, err
	}
	if s, err = fdblayer.Open(ctx, e, fdblayer.Options{}); err != nil {
		return nil, nil, nil, errors.Join(err, e.Close())
	}
	closeAll = func() error { return errors.Join(s.Close(), e.Close()) }
	g, err = groups.Open(ctx, s, "work", groups.Options{Filter: fdbevents.InStreams("work-"), LeaseTime: groupLease, MessageTimeout: 5 * time.Second, MaxRetries: 1000})
	return s, g, closeAll, err
}

// account is what a member writes down: that it was handed an event, that its
// acknowledgement succeeded, or that it was refused.
type account struct {
	Stream   string
	Revision int64
	// Partition and Epoch are the partition and the epoch of the lease.
	Partition int
	Epoch     int64
}

// member processes messages until it is interrupted or its input ends, and keeps accounts
// in a stream of the same store.
func member(url string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() { // the process that started it may die
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s, g, closeAll, err := openGroup(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	m, err := g.Join(ctx)
	if err != nil {
		return err
	}
	fmt.Println("joined")
	stream := "account-" + uuid.NewString()
	write := func(what string, msg *groups.Message) error {
		data, err := json.Marshal(account{msg.Event.Stream, msg.Event.Revision, msg.Partition, msg.Epoch})
		if err == nil {
			_, err = s.Append(context.WithoutCancel(ctx), stream, fdbevents.Any, fdbevents.EventData{Type: what, Data: data})
		}
		return err
	}
	work := func(msg *groups.Message) error {
		if err := write("handed", msg); err != nil {
			return err
		}
		ctx := context.WithoutCancel(ctx)
		retry := msg.Attempt == 1 && msg.Event.Revision%11 == 5
		var err error
		if retry {
			err = msg.Nack(ctx, groups.Retry, "try again")
		} else {
			err = msg.Ack(ctx)
		}
		switch {
		case err == nil && !retry:
			return write("acknowledged", msg)
		case errors.Is(err, fdbevents.ErrLeaseLost), errors.Is(err, fdbevents.ErrMessageTimeout):
			return write("refused", msg)
		case errors.Is(err, fdbevents.ErrSettleUnknown):
			return nil
		}
		return err
	}
	var consumers sync.WaitGroup
	failures := make(chan error, 8)
	for range cap(failures) {
		consumers.Go(func() {
			for msg, err := range m.Messages(ctx) {
				if err == nil {
					err = work(msg)
				}
				if err != nil {
					if ctx.Err() == nil {
						failures <- err
					}
					stop()
					return
				}
			}
		})
	}
	consumers.Wait()
	close(failures)
	return <-failures
}

// Four members of a group are killed at random, or stopped until others take over, while
// events are appended.
func TestKillGroupMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Run("file", func(t *testing.T) { testKillGroupMembers(t, "file:"+filepath.Join(t.TempDir(), "store")) })
	t.Run("fdb", func(t *testing.T) { testKillGroupMembers(t, fdbURL(t)) })
}

func testKillGroupMembers(t *testing.T, url string) {
	ctx := t.Context()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var members [4]*session
	begin := func(i int) { members[i] = spawn(t, memberCommand, url) }
	for i := range members {
		begin(i)
	}
	for _, m := range members {
		if line := m.line(); line != "joined" {
			t.Fatalf("got %q", line)
		}
	}
	// With a file: URL, a member holds the directory, so we kill the process that holds it.
	s, g, closeAll, err := openGroup(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeAll(); err != nil {
			t.Error(err)
		}
	}()

	loading, stopLoad := context.WithTimeout(ctx, groupLoad)
	defer stopLoad()
	var load sync.WaitGroup
	appended := make([]int64, groupStreams)
	for w := range 4 {
		load.Go(func() {
			for i := w; loading.Err() == nil; i += 4 {
				stream := i % groupStreams
				_, err := s.Append(ctx, fmt.Sprint("work-", stream), fdbevents.ExpectedRevision(appended[stream]-1), fdbevents.EventData{Type: "Job", Data: []byte("1")})
				if err != nil {
					t.Error(err)
					return
				}
				appended[stream]++
			}
		})
	}
	kills, stops := 0, 0
	var stopped sync.WaitGroup
	for loading.Err() == nil {
		select {
		case <-time.After(time.Duration(150+rng.IntN(500)) * time.Millisecond):
		case <-loading.Done():
			continue
		}
		i := rng.IntN(len(members))
		if rng.IntN(3) > 0 {
			members[i].kill()
			begin(i)
			kills++
			continue
		}
		// Others take over, and it does not notice that it was stopped.
		pid := members[i].pid
		if syscall.Kill(pid, syscall.SIGSTOP) == nil {
			stops++
			stopped.Go(func() {
				<-time.After(5 * groupLease / 2)
				_ = syscall.Kill(pid, syscall.SIGCONT)
			})
		}
	}
	load.Wait()
	stopped.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		info, err := g.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if info.Lag().N == 0 {
			if n := info.Parked().N; n > 0 {
				t.Errorf("%d messages are parked", n)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the group still has a lag: %+v", info)
		}
	}
	for i, m := range members {
		m.stop()
		if code := m.wait(); code != exitOK {
			t.Errorf("member %d: exit code %d: %s", i, code, m.errors())
		}
	}
	a := readAccounts(t, s)
	var total int64
	for stream, n := range appended {
		total += n
		a.verify(t, fmt.Sprint("work-", stream), n)
	}
	t.Logf("%d events, %d handed out, %d acknowledgements written down, %d refused; %d kills, %d stops", total, a.handed, len(a.acked), a.refused, kills, stops)
	if report, err := check.Run(ctx, s, check.Options{}); err != nil || !report.OK() {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
}

// accounts are the accounts of all members, in log order.
type accounts struct {
	// first holds the revisions of each stream, in the order in which they were first
	// handed out.
	first map[string][]int64
	// epochs holds the epochs in which an event was handed out, acked the epoch in which
	// it was acknowledged.
	epochs map[string][]int64
	acked  map[string]int64
	handed int
	// refused counts the acknowledgements that were refused.
	refused int
}

func readAccounts(t *testing.T, s *fdblayer.Store) *accounts {
	a := &accounts{first: make(map[string][]int64), epochs: make(map[string][]int64), acked: make(map[string]int64)}
	for ev, err := range s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.InStreams("account-")}) {
		if err != nil {
			t.Fatal(err)
		}
		var x account
		if err := json.Unmarshal(ev.Data, &x); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s@%d", x.Stream, x.Revision)
		switch ev.Type {
		case "handed":
			a.handed++
			if a.epochs[name] == nil {
				a.first[x.Stream] = append(a.first[x.Stream], x.Revision)
			}
			a.epochs[name] = append(a.epochs[name], x.Epoch)
		case "acknowledged":
			if epoch, ok := a.acked[name]; ok {
				t.Errorf("%s was acknowledged twice, in epochs %d and %d", name, epoch, x.Epoch)
			}
			a.acked[name] = x.Epoch
		case "refused":
			a.refused++
		}
	}
	return a
}

// verify checks that each event of a stream was handed out in order, and not again after
// it was acknowledged. A member that takes a partition, and so a higher epoch, begins with
// what was settled before. An acknowledgement that was accepted under an expired epoch would
// be one that a later epoch did not see.
func (a *accounts) verify(t *testing.T, stream string, n int64) {
	t.Helper()
	first := a.first[stream]
	if int64(len(first)) != n || !slices.IsSorted(first) {
		t.Errorf("%s: %d of %d events were handed out, in the order %v", stream, len(first), n, first)
	}
	for revision := range n {
		name := fmt.Sprintf("%s@%d", stream, revision)
		epoch, ok := a.acked[name]
		if latest := slices.Max(append(a.epochs[name], 0)); ok && latest > epoch {
			t.Errorf("%s was acknowledged in epoch %d, and handed out in %d", name, epoch, latest)
		}
	}
}
