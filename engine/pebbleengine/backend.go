package pebbleengine

import (
	"context"
	"errors"

	"github.com/fdbevents/fdbevents/engine"
)

// backend is the database that a transaction uses: the store of this process, or
// a link to the store of another.
type backend interface {
	// acquire returns a view at the latest published version, which the caller
	// releases. The view's reads end with ctx.
	acquire(ctx context.Context) (view, error)

	// commit returns when c is durable and visible, or refused. If ctx ends first,
	// the commit may still happen. c belongs to the backend afterwards.
	commit(ctx context.Context, c *commit) (outcome, error)

	// lost reports that the backend has ended by itself and must be replaced.
	lost() bool

	// close waits for commits under way, ends watches with ErrClosed and releases
	// everything. Later calls fail with ErrClosed.
	close() error
}

// errLost is returned for a call that a lost backend has not carried out and
// never will.
var errLost = errors.New("the process that holds the directory is gone")

// view is the database at one version.
type view interface {
	version() int64
	get(key []byte) engine.Future[[]byte]
	scan(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page]
	// release gives the view back. Reads already started still finish.
	release()
}

// commit is what a transaction hands over. The mutations are in the order of the
// transaction's calls.
type commit struct {
	// version is the read version, or 0 if the transaction has none: then nothing
	// can conflict with it.
	version   int64
	mutations []mutation
	reads     conflicts
	// writes are the write conflict ranges that do not follow from the mutations.
	writes  []engine.Range
	watches []*watch
	// size approximates the total bytes of the above.
	size int64
}

// writing reports whether c changes anything or conflicts with anybody.
func (c *commit) writing() bool { return len(c.mutations) > 0 || len(c.writes) > 0 }

// conflicts is a set of keys. Single keys are kept apart from ranges: they are
// far more frequent, and far cheaper to check.
type conflicts struct {
	points [][]byte
	ranges []engine.Range
}

func (c *conflicts) add(r engine.Range) {
	n := len(r.Begin)
	if len(r.End) == n+1 && r.End[n] == 0 && string(r.End[:n]) == string(r.Begin) {
		c.points = append(c.points, r.Begin)
		return
	}
	c.ranges = append(c.ranges, r)
}

func (c *conflicts) empty() bool { return len(c.points) == 0 && len(c.ranges) == 0 }

// outcome is the place of a commit: its version and its index in the group.
type outcome struct {
	version int64
	index   uint16
}

// mutation is one write. Atomic operations have the numbers of engine.Op.
type mutation struct {
	op engine.Op
	// key is the key, or the first key of a range.
	key []byte
	// value is the value, the operand, or the end of the range.
	value []byte
}

// The mutations that are not atomic operations.
const (
	opSet        engine.Op = 0
	opClearRange engine.Op = 1
	opClear      engine.Op = -1
)

// ready is a future that already has its result.
type ready[T any] struct {
	value T
	err   error
}

func (r ready[T]) Get() (T, error) { return r.value, r.err }

func failed[T any](err error) engine.Future[T] { return ready[T]{err: err} }
