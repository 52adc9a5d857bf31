package harness

import (
	"context"
	"errors"
)

// Kind is the part that a system plays in a report.
type Kind string

const (
	// Subject is fdbevents, on one of its engines.
	Subject Kind = "subject"
	// Limit does the physical part of the same work and nothing else.
	Limit Kind = "limit"
	// Peer is what people use instead.
	Peer Kind = "peer"
)

// System is one contestant. Its Open starts whatever it needs, servers included.
type System struct {
	// Name is short and stable: it is the key in results.
	Name string
	Kind Kind
	// About says in a line what is run, and where it does less, or more, than the
	// others: "acknowledged" must mean synced to disk for each of them.
	About string
	// Relaxed systems acknowledge before the disk has it. They are shown, and
	// compared with nothing.
	Relaxed bool
	// Open opens the system's data in the directory, which is empty at first and
	// the system's own. Opened again after a Close it has what it had. A system that
	// cannot run here gives an error that wraps ErrMissing.
	Open func(ctx context.Context, dir string) (Instance, error)
	// OpenPartitioned is Open where the log is to have so many partitions; nil when one
	// cannot choose.
	OpenPartitioned func(ctx context.Context, dir string, partitions int) (Instance, error)
}

// ErrMissing is wrapped by the error of a System that cannot run on this machine.
var ErrMissing = errors.New("not on this machine")

// Instance is an open system. What it can do is told by the interfaces that it
// implements, of those below; a workload that needs another is not offered to it.
// Methods are called from many goroutines at once. They do not keep the slices
// given to them, and those they give are valid only until the yield returns.
type Instance interface {
	// Version is of the software that is measured: "PostgreSQL 15.18".
	Version() string
	Close() error
}

// Event is what is appended.
type Event struct {
	// Data is printable ASCII without quotes and backslashes, so that systems that keep
	// text or JSON need not encode it.
	Data []byte
	// Tags are for systems that implement TagReader or ConditionalAppender; others
	// need not keep them.
	Tags []string
}

// Appender is the least that an Instance offers.
type Appender interface {
	// Append adds the events to the end of the stream, all or none, and returns when
	// they are on disk. It fails unless the stream has exactly next events before.
	// Stream names have the form NAME-NUMBER, the name being a category.
	Append(ctx context.Context, stream string, next int64, events []Event) error
}

// SingleAppender is an Appender that takes but one event at a time.
type SingleAppender interface{ AppendsOneEventOnly() }

// Unchecked is an Appender that takes the caller's word for next: a limit, which
// does the physical part only.
type Unchecked interface{ ChecksNothing() }

// AnyAppender appends wherever the stream ends.
type AnyAppender interface {
	AppendAny(ctx context.Context, stream string, events []Event) error
}

// ConditionalAppender appends unless there is an event with the tag already.
type ConditionalAppender interface {
	AppendUnless(ctx context.Context, tag, stream string, events []Event) error
}

// Filler appends without waiting for the disk at each step, to prepare what is to
// be read. Next is as for Append. All of it is on disk when Flush returns.
type Filler interface {
	Fill(ctx context.Context, stream string, next int64, events []Event) error
	Flush(ctx context.Context) error
}

// StreamReader reads all events of a stream, in order.
type StreamReader interface {
	ReadStream(ctx context.Context, stream string, yield func(data []byte)) error
}

// LogReader reads all events of all streams in the system's order, from the first
// to the last that is there.
type LogReader interface {
	ReadLog(ctx context.Context, yield func(data []byte)) error
}

// TagReader reads all events that have the tag, in order.
type TagReader interface {
	ReadTag(ctx context.Context, tag string, yield func(data []byte)) error
}

// Follower hands out events that are appended after live was called, each once, in
// order, until the context ends, and returns nil then. It may hand out some that were
// appended after Follow was called and before live was.
type Follower interface {
	Follow(ctx context.Context, live func(), yield func(data []byte)) error
}

// Consumer lets members share all events of the log: each is handed to one of
// them and acknowledged when yield returns, durably if the system can. The name is
// new in each call. Consume returns nil when the context ends.
type Consumer interface {
	Consume(ctx context.Context, name string, members int, yield func(data []byte)) error
}

// Costed is an Instance with processes of its own besides the one it is called
// in: the costs of an event include theirs.
type Costed interface {
	// Processes are their ids.
	Processes() []int
}

// Volatile is an Instance that cannot be closed and opened again with its data.
type Volatile interface{ LosesDataOnClose() }
