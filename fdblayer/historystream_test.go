package fdblayer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// streamAsked is an append to a stream, or a read of all of it.
type streamAsked struct {
	stream string
	// names are the names of the events to append, each nameSize long; "" means a read.
	names    string
	expected fdbevents.ExpectedRevision
}

const nameSize = 4

// streamTold is the answer to a streamAsked.
type streamTold struct {
	outcome plannedResult
	// first is the first revision of an append; for an unknown one it is filled in at
	// the end. wrong is true when the append was refused: first is then the actual
	// last revision.
	first         int64
	repeat, wrong bool
	// names are the names of the events that a read returned.
	names string
}

func (a streamAsked) String() string {
	if a.names == "" {
		return "read " + a.stream
	}
	return fmt.Sprintf("append %sto %s, expecting %s", a.names, a.stream, a.expected)
}

func (a streamTold) String() string {
	switch {
	case a.outcome == unknown:
		return fmt.Sprintf("unknown, first revision is %d", a.first)
	case a.outcome == failed:
		return "failed"
	case a.wrong:
		return fmt.Sprintf("wrong, last revision is %d", a.first)
	case a.repeat:
		return fmt.Sprintf("repeat, first revision is %d", a.first)
	case a.names != "":
		return "read " + a.names
	}
	return fmt.Sprintf("first revision is %d", a.first)
}

// streamHistory is the model of one stream: the names of its events, in order.
var streamHistory = porcupine.Model{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		streams := make(map[string][]porcupine.Operation)
		for _, op := range ops {
			stream := op.Input.(streamAsked).stream
			streams[stream] = append(streams[stream], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range streams {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		return stepStream(state.(string), input.(streamAsked), output.(streamTold))
	},
}

func stepStream(state string, asked streamAsked, told streamTold) (bool, string) {
	if asked.names == "" {
		return told.names == state, state
	}
	next := int64(len(state) / nameSize)
	at := strings.Index(state, asked.names)
	holds := asked.expected == fdbevents.Any || int64(asked.expected) == next-1 // NoStream is -1
	happens := at < 0 && holds && told.first == next
	switch {
	case told.outcome == failed, told.outcome == unknown && at >= 0:
		return true, state
	case told.repeat:
		return at >= 0 && told.first == int64(at/nameSize), state
	case told.wrong:
		return at < 0 && !holds && told.first == next-1, state
	}
	return happens, state + asked.names
}

// TestStreamHistory appends to a few streams and reads them from many clients. Each
// stream must be linearizable, whatever happens to commits.
func TestStreamHistory(t *testing.T) {
	streams := []string{"s", "t"}
	var names atomic.Int64
	eachHistory(t, func(c *historyClient) {
		known := make(map[string]int64) // the next revision that the client knows of
		var mine []streamAsked          // its appends that can be repeated
		for range 30 {
			asked := streamAsked{stream: streams[c.rng.IntN(len(streams))], expected: fdbevents.Any}
			given := c.rng.IntN(2) == 0
			switch kind := c.rng.IntN(10); {
			case kind < 3:
				c.readStreamNames(asked, known)
				continue
			case kind < 6:
				asked.expected = fdbevents.ExpectedRevision(known[asked.stream] - 1)
			case kind < 7 && len(mine) > 0:
				c.appendNames(mine[c.rng.IntN(len(mine))], true, known)
				continue
			}
			for range 1 + c.rng.IntN(2) {
				asked.names += fmt.Sprintf("%03d ", names.Add(1)%1000)
			}
			if given {
				mine = append(mine, asked)
			}
			c.appendNames(asked, given, known)
		}
	}, func(t *testing.T, h *history, s *fdblayer.Store) {
		c := &historyClient{history: h, t: t, id: 99, store: s}
		final := make(map[string]string)
		for _, stream := range streams {
			c.readStreamNames(streamAsked{stream: stream}, nil)
			final[stream] = c.ops[len(c.ops)-1].Output.(streamTold).names
		}
		resolveStreams(h, final)
		if why := refuted(streamHistory, h.ops); why != "" {
			t.Error(why)
		}
	})
}

// resolveStreams finds the outcome of unknown appends in what the streams hold at the
// end. It removes appends that never happened from the history.
func resolveStreams(h *history, final map[string]string) {
	h.ops = slices.DeleteFunc(h.ops, func(op porcupine.Operation) bool {
		asked, told := op.Input.(streamAsked), op.Output.(streamTold)
		return told.outcome == unknown && !strings.Contains(final[asked.stream], asked.names)
	})
	for i := range h.ops {
		asked, told := h.ops[i].Input.(streamAsked), h.ops[i].Output.(streamTold)
		if told.outcome == unknown {
			told.first = int64(strings.Index(final[asked.stream], asked.names) / nameSize)
			h.ops[i].Output = told
		}
	}
}

func (c *historyClient) appendNames(asked streamAsked, given bool, known map[string]int64) {
	var events []fdbevents.EventData
	for _, name := range strings.Fields(asked.names) {
		ev := storetest.Event(name)
		if given {
			ev = storetest.EventWithID(name, name)
		}
		events = append(events, ev)
	}
	ctx, cancel := c.context()
	defer cancel()
	c.do(c.id, asked, func() (any, plannedResult) {
		r, err := c.store.Append(ctx, asked.stream, asked.expected, events...)
		told := streamTold{outcome: c.outcome(err), first: r.FirstRevision, repeat: r.Repeat}
		var wrong *fdbevents.WrongExpectedRevisionError
		switch {
		case errors.As(err, &wrong):
			told.wrong, told.first = true, wrong.Actual
			known[asked.stream] = wrong.Actual + 1
		case err == nil:
			known[asked.stream] = max(known[asked.stream], r.LastRevision+1)
		case told.outcome == done:
			c.t.Errorf("client %d: %v: %v", c.id, asked, err)
		}
		return told, told.outcome
	})
}

func (c *historyClient) readStreamNames(asked streamAsked, known map[string]int64) {
	backward := known != nil && c.rng.IntN(3) == 0
	from := fdbevents.StreamStart
	if backward {
		from = fdbevents.StreamEnd
	}
	c.do(c.id, asked, func() (any, plannedResult) {
		var told streamTold
		var names []string
		for ev, err := range c.store.ReadStream(c.t.Context(), asked.stream, from, fdblayer.ReadOptions{Backward: backward}) {
			switch {
			case err == nil:
				names = append(names, ev.Type+" ")
				continue
			case c.flaky && errors.Is(err, engine.ErrTimedOut):
				return told, silent
			case !errors.Is(err, fdbevents.ErrStreamNotFound):
				c.t.Errorf("client %d: %v: %v", c.id, asked, err)
			}
		}
		if backward {
			slices.Reverse(names)
		}
		if known != nil {
			known[asked.stream] = int64(len(names))
		}
		told.names = strings.Join(names, "")
		return told, done
	})
}

// TestStreamHistoriesThatAreWrong checks histories made by hand. The check must refuse
// those that only a broken store could produce, and no others.
func TestStreamHistoriesThatAreWrong(t *testing.T) {
	op := func(call, ret int64, asked streamAsked, told streamTold) porcupine.Operation {
		return porcupine.Operation{Input: asked, Call: call, Output: told, Return: ret}
	}
	read := streamAsked{stream: "s"}
	add := func(names string, expected fdbevents.ExpectedRevision) streamAsked {
		return streamAsked{stream: "s", names: names, expected: expected}
	}
	for _, c := range []struct {
		what  string
		right bool
		ops   []porcupine.Operation
	}{
		{"a read during an append may see it or not", true, []porcupine.Operation{
			op(0, 9, add("001 ", fdbevents.Any), streamTold{}), op(1, 2, read, streamTold{}), op(3, 4, read, streamTold{names: "001 "}),
		}},
		{"a read after an append misses it", false, []porcupine.Operation{
			op(0, 1, add("001 ", fdbevents.Any), streamTold{}), op(2, 3, read, streamTold{}),
		}},
		{"a later read sees less than an earlier one", false, []porcupine.Operation{
			op(0, 9, add("001 ", fdbevents.Any), streamTold{}), op(1, 2, read, streamTold{names: "001 "}), op(3, 4, read, streamTold{}),
		}},
		{"two appends with the same expected revision win", false, []porcupine.Operation{
			op(0, 9, add("001 ", fdbevents.NoStream), streamTold{}), op(1, 8, add("002 ", fdbevents.NoStream), streamTold{}),
		}},
		{"a refusal for no reason", false, []porcupine.Operation{
			op(0, 1, add("001 ", fdbevents.NoStream), streamTold{wrong: true}),
		}},
		{"an unknown append happens late", true, []porcupine.Operation{
			op(0, ever, add("001 ", fdbevents.Any), streamTold{outcome: unknown}), op(1, 2, read, streamTold{}), op(3, 4, read, streamTold{names: "001 "}),
		}},
		{"an unknown append happens twice", false, []porcupine.Operation{
			op(0, ever, add("001 ", fdbevents.Any), streamTold{outcome: unknown}), op(3, 4, read, streamTold{names: "001 001 "}),
		}},
		{"a failed append happens", false, []porcupine.Operation{
			op(0, 1, add("001 ", fdbevents.Any), streamTold{outcome: failed}), op(3, 4, read, streamTold{names: "001 "}),
		}},
		{"a repeat of an append that never happened", false, []porcupine.Operation{
			op(0, 1, add("001 ", fdbevents.Any), streamTold{repeat: true}),
		}},
	} {
		if why := refuted(streamHistory, c.ops); (why == "") != c.right {
			t.Errorf("%s: want right %t, got the opposite; %s", c.what, c.right, why)
		}
	}
}
