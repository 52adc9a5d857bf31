package fdblayer_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// history records what clients asked, what the answers were, and when. It is right if
// there is an order of the operations, each at a moment between its call and its
// return, in which a simple model gives the same answers.
type history struct {
	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// plannedResult is how an operation ended, in the terms that all histories share.
type plannedResult int

const (
	// done means an answer: the append happened, or was refused for a reason.
	done plannedResult = iota
	// unknown means that the append may happen at any time until the history ends.
	unknown
	// failed means that the append did not happen, because its context ended or the
	// engine did not answer.
	failed
	// silent means that a read got no answer, which proves nothing.
	silent
)

// ever is the return time of an append that may still happen.
const ever = math.MaxInt64

// do carries out an operation by calling ask, and records it.
func (h *history) do(client int, input any, ask func() (answer any, out plannedResult)) {
	call := time.Since(h.began).Nanoseconds()
	answer, out := ask()
	op := porcupine.Operation{ClientId: client, Input: input, Call: call, Output: answer, Return: time.Since(h.began).Nanoseconds()}
	switch out {
	case unknown:
		op.Return = ever
	case silent:
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

// refuted returns why a history is not right, or "" if it is.
func refuted(m porcupine.Model, ops []porcupine.Operation) string {
	switch porcupine.CheckOperationsTimeout(m, ops, time.Minute) {
	case porcupine.Ok:
		return ""
	case porcupine.Unknown:
		return "a minute is not enough to decide whether any order explains this history"
	}
	var b strings.Builder
	b.WriteString("no order explains this history:\n")
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range ops {
		end := "ever"
		if op.Return != ever {
			end = fmt.Sprint(op.Return / 1000)
		}
		fmt.Fprintf(&b, "%6d to %6s µs, client %d: %v: %v\n", op.Call/1000, end, op.ClientId, op.Input, op.Output)
	}
	return b.String()
}

// historyClient is one of several that share two stores on one engine.
type historyClient struct {
	*history
	t     *testing.T
	id    int
	store *fdblayer.Store
	rng   *rand.Rand
	// flaky is true when operations may fail through no fault of their own.
	flaky bool
}

// context returns the context of one operation. Now and then it ends before the
// operation does.
func (c *historyClient) context() (context.Context, context.CancelFunc) {
	if c.flaky && c.rng.IntN(8) == 0 {
		return context.WithTimeout(c.t.Context(), time.Duration(c.rng.IntN(3000))*time.Microsecond)
	}
	return context.WithCancel(c.t.Context())
}

// outcome returns how an append that returned err ended. Recognizing other refusals is
// left to the caller.
func (c *historyClient) outcome(err error) plannedResult {
	switch {
	case errors.Is(err, fdbevents.ErrOutcomeUnknown):
		if !c.flaky {
			c.t.Errorf("client %d: got %v on an engine that works", c.id, err)
		}
		return unknown
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, engine.ErrTimedOut):
		if !c.flaky {
			c.t.Errorf("client %d: got %v on an engine that works", c.id, err)
		}
		return failed
	}
	return done
}

// unclearCommits makes commits fail in every way that FoundationDB's can: some are
// retried, some leave the caller without an answer, and some of these land late.
func unclearCommits(e *storetest.FlakyEngine, late *sync.WaitGroup, enough *atomic.Bool) func(t *storetest.FlakyTransaction) error {
	return func(t *storetest.FlakyTransaction) error {
		if enough.Load() {
			return t.Transaction.Commit()
		}
		switch e.Roll(30) {
		case 0:
			return engine.ErrConflict
		case 1, 2:
			return engine.ErrCommitUnknown
		case 3, 4:
			return cmp.Or(t.Transaction.Commit(), error(engine.ErrCommitUnknown))
		case 5:
			return engine.ErrTimedOut
		case 6:
			return cmp.Or(t.Transaction.Commit(), error(engine.ErrTimedOut))
		case 7:
			t.Abandoned = true
			inner := t.Transaction
			late.Go(func() {
				defer inner.Cancel()
				_ = inner.Commit() // nobody waits for it any more
			})
			return engine.ErrTimedOut
		}
		return t.Transaction.Commit()
	}
}

// eachHistory lets clients loose on two stores of one engine, several times, on an
// engine that works and on one that fails. It calls finish when nothing is under way
// any more.
func eachHistory(t *testing.T, client func(c *historyClient), finish func(t *testing.T, h *history, s *fdblayer.Store)) {
	const clients = 8
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		rounds := 20
		if strings.HasSuffix(t.Name(), "/fdb") {
			rounds = 6
		}
		for round := range rounds {
			flaky := round%2 == 1
			t.Run(fmt.Sprintf("round=%d,flaky=%t", round, flaky), func(t *testing.T) {
				storetest.OK(t, clearEngine(t.Context(), e))
				var late sync.WaitGroup
				var enough atomic.Bool
				var ours engine.Engine = e
				faults := storetest.NewFlakyEngine(e, rand.Uint64(), 0)
				if flaky {
					ours = faults
				}
				stores := []*fdblayer.Store{storetest.OpenStore(t, ours, fdblayer.Options{}), storetest.OpenStore(t, ours, fdblayer.Options{})}
				if flaky {
					faults.FailNext = unclearCommits(faults, &late, &enough)
				}
				h := &history{began: time.Now()}
				var wg sync.WaitGroup
				for id := range clients {
					c := &historyClient{history: h, t: t, id: id, store: stores[id%2], flaky: flaky, rng: rand.New(rand.NewPCG(rand.Uint64(), 0))}
					wg.Go(func() { client(c) })
				}
				wg.Wait()
				// A commit that its client gave up may still be under way.
				enough.Store(true)
				late.Wait()
				finish(t, h, stores[0])
				answers := make(map[string]int)
				for _, op := range h.ops {
					answers[strings.SplitN(fmt.Sprint(op.Output), " ", 2)[0]]++
				}
				if t.Failed() || testing.Verbose() {
					t.Logf("%d operations; answers by their first word: %v", len(h.ops), answers)
				}
			})
		}
	})
}

// clearEngine empties an engine, so that a store begins with nothing.
func clearEngine(ctx context.Context, e engine.Engine) error {
	return engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		prefix := e.Prefix()
		tr.ClearRange(engine.Range{Begin: prefix, End: append(bytes.Clone(prefix), 0xff)})
		return nil
	})
}
