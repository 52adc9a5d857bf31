package harness

import (
	"context"
	"errors"
)

// Kind is the role of a system in a report.
type Kind string

const (
	// Subject is fdbevents, on one of its engines.
	Subject Kind = "subject"
	// Limit does only the physical part of the same work.
	Limit Kind = "limit"
	// Peer is what people use instead.
	Peer Kind = "peer"
)

// System is one contestant. Its Open starts whatever it needs, servers included.
type System struct {
	// Name is short and stable: it is the key in results.
	Name string
	Kind Kind
	// About says in one line what is run, and where it does less or more than the
	// others. "Acknowledged" must mean synced to disk for each of them.
	About string
	// Relaxed systems acknowledge before the data is on disk. They are shown but not
	// compared with anything.
	Relaxed bool
	// Open opens the system's data in dir, which is empty at first and belongs to the
	// system. Opened again after a Close, the system finds its data. A system that
	// cannot run on this machine returns an error that wraps ErrMissing.
	Open func(ctx context.Context, dir string) (Instance, error)
	// OpenPartitioned is Open for a log of the given number of partitions; nil when the
	// number cannot be chosen.
	OpenPartitioned func(ctx context.Context, dir string, partitions int) (Instance, error)
}

// ErrMissing is wrapped by the error of a System that cannot run on this machine.
var ErrMissing = errors.New("not on this machine")

// Instance is an open system. It implements the interfaces below that it can offer; a
// workload that needs another one is not run on it. Methods are called from many
// goroutines at once. They do not keep the slices passed to them, and the slices that
// they pass to yield are valid only until yield returns.
type Instance interface {
	// Version returns the version of the measured software: "PostgreSQL 15.18".
	Version() string
	Close() error
}

// Event is an event to append.
type Event struct {
	// Data is printable ASCII without quotes and backslashes, so that systems that keep
	// text or JSON need not encode it.
	Data []byte
	// Tags are for systems that implement TagReader or ConditionalAppender; others
	// need not keep them.
	Tags []string
}

// Appender is the minimum that an Instance offers.
type Appender interface {
	// Append adds the events to the end of the stream, all or none, and returns when
	// they are on disk. It fails unless the stream has exactly next events before.
	// Stream names have the form NAME-NUMBER, where NAME is a category.
	Append(ctx context.Context, stream string, next int64, events []Event) error
}

// SingleAppender is an Appender that takes only one event at a time.
type SingleAppender interface{ AppendsOneEventOnly() }

// Unchecked is an Appender that does not check next: a limit, which does only the
// physical part.
type Unchecked interface{ ChecksNothing() }

// AnyAppender appends wherever the stream ends.
type AnyAppender interface {
	AppendAny(ctx context.Context, stream string, events []Event) error
}

// ConditionalAppender appends unless there already is an event with the tag.
type ConditionalAppender interface {
	AppendUnless(ctx context.Context, tag, stream string, events []Event) error
}

// Filler appends without waiting for the disk each time, to prepare a log for reading.
// The argument next is as for Append. Everything is on disk when Flush returns.
type Filler interface {
	Fill(ctx context.Context, stream string, next int64, events []Event) error
	Flush(ctx context.Context) error
}

// StreamReader reads all events of a stream, in order.
type StreamReader interface {
	ReadStream(ctx context.Context, stream string, yield func(data []byte)) error
}

// LogReader reads the events of all streams in the system's order, from the first to
// the last one that is there.
type LogReader interface {
	ReadLog(ctx context.Context, yield func(data []byte)) error
}

// TagReader reads all events that have the tag, in order.
type TagReader interface {
	ReadTag(ctx context.Context, tag string, yield func(data []byte)) error
}

// Follower yields the events that are appended after it has called live, each once
// and in order, until the context ends; Follow then returns nil. It may also yield
// events that were appended between the calls of Follow and of live.
type Follower interface {
	Follow(ctx context.Context, live func(), yield func(data []byte)) error
}

// Consumer shares all events of the log among members: each event goes to one member
// and is acknowledged when yield returns, durably if the system can. The name is new
// in each call. Consume returns nil when the context ends.
type Consumer interface {
	Consume(ctx context.Context, name string, members int, yield func(data []byte)) error
}

// Costed is an Instance that runs other processes in addition to the one it is called
// in. The costs of an event include their costs.
type Costed interface {
	// Processes returns their ids.
	Processes() []int
}

// Volatile is an Instance that cannot be closed and opened again with its data.
type Volatile interface{ LosesDataOnClose() }
