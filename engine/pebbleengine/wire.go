package pebbleengine

import (
	"errors"

	"github.com/fdbevents/fdbevents/engine"
)

// protocol is the number of the protocol below: the messages and their meaning.
// Both sides must have the same number.
const protocol = 1

// errProtocol is returned when their numbers differ.
var errProtocol = errors.New("processes of different versions of fdbevents cannot share a directory")

// clientID distinguishes the sessions of one Engine from those of others.
type clientID [16]byte

// The arguments and results of the calls, in net/rpc's gob encoding. They are
// aliases of unnamed types because net/rpc wants types that are exported or
// unnamed. The messages of Hello must not change.
type (
	helloArgs = struct {
		Protocol int
		Client   clientID
	}
	helloReply = struct{ Protocol int }

	acquireReply = struct {
		View    uint64
		Version int64
		Failure failure
	}

	getArgs = struct {
		View uint64
		Key  []byte
	}
	getReply = struct {
		Value   []byte
		Present bool
		Failure failure
	}

	scanArgs = struct {
		View    uint64
		Range   engine.Range
		Options engine.RangeOptions
	}
	scanReply = struct {
		Keys, Values [][]byte
		More         bool
		Failure      failure
	}

	commitArgs = struct {
		Version                int64
		Ops                    []int
		Keys, Values           [][]byte // of the mutations
		Points                 [][]byte
		RangeBegins, RangeEnds [][]byte
		WriteBegins, WriteEnds [][]byte
		Watches                []uint64
		WatchKeys              [][]byte
		WatchChanged           []bool
		Size                   int64
	}
	commitReply = struct {
		Version int64
		Index   uint16
		Failure failure
	}

	endedReply = struct {
		Watches  []uint64
		Failures []failure
	}

	nothing = struct{}
)

// failure is an error on the wire; the zero value means no error.
type failure struct {
	Code int
	Text string
}

// codeLost stands for errLost.
const codeLost = -1000

func makeFailure(err error) failure {
	if err == nil {
		return failure{}
	}
	f := failure{Text: err.Error()}
	var code engine.Error
	switch {
	case errors.Is(err, engine.ErrClosed):
		f.Code = codeLost // closed here means lost there
	case errors.As(err, &code):
		f.Code = int(code)
	}
	return f
}

func (f failure) err() error {
	switch {
	case f.Code == codeLost:
		return errLost
	case f == failure{}:
		return nil
	}
	return &remoteError{f}
}

// remoteError is an error of the holder.
type remoteError struct{ failure }

func (e *remoteError) Error() string { return e.Text }

func (e *remoteError) Unwrap() error {
	if e.Code == 0 {
		return nil
	}
	return engine.Error(e.Code)
}

func packRanges(ranges []engine.Range) (begins, ends [][]byte) {
	for _, r := range ranges {
		begins = append(begins, r.Begin)
		ends = append(ends, r.End)
	}
	return begins, ends
}

func unpackRanges(begins, ends [][]byte) []engine.Range {
	ranges := make([]engine.Range, min(len(begins), len(ends)))
	for i := range ranges {
		ranges[i] = engine.Range{Begin: begins[i], End: ends[i]}
	}
	return ranges
}

// packCommit turns c into a message; number assigns numbers to its watches.
func packCommit(c *commit, number func(*watch) uint64) *commitArgs {
	n := len(c.mutations)
	a := &commitArgs{
		Version: c.version, Points: c.reads.points, Size: c.size,
		Ops: make([]int, n), Keys: make([][]byte, n), Values: make([][]byte, n),
	}
	for i, m := range c.mutations {
		a.Ops[i], a.Keys[i], a.Values[i] = int(m.op), m.key, m.value
	}
	a.RangeBegins, a.RangeEnds = packRanges(c.reads.ranges)
	a.WriteBegins, a.WriteEnds = packRanges(c.writes)
	for _, w := range c.watches {
		a.Watches = append(a.Watches, number(w))
		a.WatchKeys = append(a.WatchKeys, w.key)
		a.WatchChanged = append(a.WatchChanged, w.changed)
	}
	return a
}

// unpackCommit is the inverse of packCommit; it creates the watches anew.
func unpackCommit(a *commitArgs) (*commit, error) {
	n := len(a.Ops)
	if len(a.Keys) != n || len(a.Values) != n || len(a.WatchKeys) != len(a.Watches) || len(a.WatchChanged) != len(a.Watches) {
		return nil, errProtocol
	}
	c := &commit{version: a.Version, size: a.Size, mutations: make([]mutation, n)}
	for i := range c.mutations {
		c.mutations[i] = mutation{op: engine.Op(a.Ops[i]), key: a.Keys[i], value: a.Values[i]}
	}
	c.reads = conflicts{points: a.Points, ranges: unpackRanges(a.RangeBegins, a.RangeEnds)}
	c.writes = unpackRanges(a.WriteBegins, a.WriteEnds)
	for i, key := range a.WatchKeys {
		w := newWatch(key)
		w.changed = a.WatchChanged[i]
		c.watches = append(c.watches, w)
	}
	return c, nil
}
