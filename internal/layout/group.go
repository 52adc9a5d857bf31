package layout

import (
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// The values of consumer groups: msgpack arrays that begin with a format number.

const formatGroup = 1

// groupConfig is what was fixed when a group was created, and whether it is
// paused.
type GroupConfig struct {
	// incarnation tells a group from an earlier one of the same name.
	Incarnation    uuid.UUID
	Prefix         string
	Query          fdbevents.Query
	From           fdbevents.Position
	MessageTimeout time.Duration
	MaxRetries     int
	LeaseTime      time.Duration
	Paused         bool
}

// groupLease says who delivers a partition to a group.
type GroupLease struct {
	// owner is a member, uuid.Nil when nobody.
	Owner uuid.UUID
	// epoch rises whenever the partition changes hands.
	Epoch int64
}

// groupProgress is how far a group has come in a partition.
type GroupProgress struct {
	// checkpoint is the position up to which everything selected is settled.
	Checkpoint fdbevents.Position
	// settled are the positions of settled events after checkpoint, in order.
	Settled []fdbevents.Position
	// attempts are those events after checkpoint that failed and will be retried,
	// in order.
	Attempts []GroupAttempt
}

// groupAttempt is how often the event at a position has failed.
type GroupAttempt struct {
	At     fdbevents.Position
	Failed int
}

// groupParked is a parked event.
type GroupParked struct {
	Attempts int
	Reason   string
	Time     time.Time
}

func AppendGroupConfig(dst []byte, c GroupConfig) []byte {
	w := beginValue(dst, formatGroup, 9)
	w.bytes(c.Incarnation[:])
	w.text(c.Prefix)
	w.array(len(c.Query.Items))
	for _, it := range c.Query.Items {
		w.array(2)
		w.texts(it.Types)
		w.texts(it.Tags)
	}
	w.position(c.From)
	w.int(int64(c.MessageTimeout))
	w.int(int64(c.MaxRetries))
	w.int(int64(c.LeaseTime))
	w.bool(c.Paused)
	return w.end()
}

func DecodeGroupConfig(src []byte) (c GroupConfig, err error) {
	r := readValue(src, "group settings", formatGroup, 9)
	c.Incarnation = r.uuid()
	c.Prefix = r.text()
	for range r.count() {
		if n := r.array(); n != 2 {
			r.fail(fmt.Errorf("query item of %d parts", n))
		}
		c.Query.Items = append(c.Query.Items, fdbevents.QueryItem{Types: r.texts(), Tags: r.texts()})
	}
	c.From = r.position()
	c.MessageTimeout = time.Duration(r.int())
	c.MaxRetries = int(r.int())
	c.LeaseTime = time.Duration(r.int())
	if c.MessageTimeout <= 0 || c.LeaseTime <= 0 || c.MaxRetries < 0 {
		r.fail(fmt.Errorf("message time-out %v, lease %v, %d retries", c.MessageTimeout, c.LeaseTime, c.MaxRetries))
	}
	c.Paused = r.bool()
	return c, r.end()
}

func AppendGroupLease(dst []byte, l GroupLease) []byte {
	w := beginValue(dst, formatGroup, 3)
	w.bytes(l.Owner[:])
	w.int(l.Epoch)
	return w.end()
}

func DecodeGroupLease(src []byte) (l GroupLease, err error) {
	r := readValue(src, "group lease", formatGroup, 3)
	l.Owner = r.uuid()
	l.Epoch = r.int()
	return l, r.end()
}

// appendGroupProgress encodes [1, checkpoint, settled, [position, failed, …]];
// settled is one byte string of positions.
func AppendGroupProgress(dst []byte, p GroupProgress) []byte {
	w := beginValue(dst, formatGroup, 4)
	w.position(p.Checkpoint)
	_ = w.enc.EncodeBytesLen(len(p.Settled) * positionSize)
	for i := range p.Settled {
		w.dst = appendPositionBytes(w.dst, p.Settled[i])
	}
	w.array(2 * len(p.Attempts))
	for i := range p.Attempts {
		w.position(p.Attempts[i].At)
		w.int(int64(p.Attempts[i].Failed))
	}
	return w.end()
}

func DecodeGroupProgress(src []byte) (p GroupProgress, err error) {
	r := readValue(src, "group progress", formatGroup, 4)
	p.Checkpoint = r.position()
	settled := r.bytes()
	if len(settled)%positionSize != 0 {
		r.fail(fmt.Errorf("settled positions of %d bytes", len(settled)))
	}
	last := p.Checkpoint
	for ; r.err == nil && len(settled) > 0; settled = settled[positionSize:] {
		at := fdbevents.PositionFromBytes([positionSize]byte(settled))
		if !last.Before(at) {
			r.fail(fmt.Errorf("settled position %s after %s", at, last))
		}
		p.Settled = append(p.Settled, at)
		last = at
	}
	last = p.Checkpoint
	for n := r.count() / 2; r.err == nil && n > 0; n-- {
		a := GroupAttempt{At: r.position(), Failed: int(r.int())}
		if !last.Before(a.At) || a.Failed < 1 {
			r.fail(fmt.Errorf("%d failed attempts at position %s after %s", a.Failed, a.At, last))
		}
		p.Attempts = append(p.Attempts, a)
		last = a.At
	}
	return p, r.end()
}

func AppendGroupParked(dst []byte, p GroupParked) []byte {
	w := beginValue(dst, formatGroup, 4)
	w.int(int64(p.Attempts))
	w.text(p.Reason)
	w.int(p.Time.UnixNano())
	return w.end()
}

func DecodeGroupParked(src []byte) (p GroupParked, err error) {
	r := readValue(src, "parked message", formatGroup, 4)
	p.Attempts = int(r.int())
	p.Reason = r.text()
	p.Time = time.Unix(0, r.int()).UTC()
	return p, r.end()
}

// appendGroupCount encodes a member's heartbeat counter, or how often a message that
// is to be replayed has failed since then.
func AppendGroupCount(dst []byte, n int64) []byte {
	w := beginValue(dst, formatGroup, 2)
	w.int(n)
	return w.end()
}

func DecodeGroupCount(src []byte) (n int64, err error) {
	r := readValue(src, "group counter", formatGroup, 2)
	n = r.int()
	return n, r.end()
}
