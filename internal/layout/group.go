package layout

import (
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// formatGroup is the format number of all values of consumer groups. They are msgpack
// arrays that begin with it.
const formatGroup = 1

// GroupConfig holds the settings of a group, which were fixed when it was created, and
// whether it is paused.
type GroupConfig struct {
	// Incarnation distinguishes the group from earlier ones of the same name.
	Incarnation    uuid.UUID
	Prefix         string
	Query          fdbevents.Query
	From           fdbevents.Position
	MessageTimeout time.Duration
	MaxRetries     int
	LeaseTime      time.Duration
	Paused         bool
}

// GroupLease says which member delivers a partition to a group.
type GroupLease struct {
	// Owner is the member that holds the lease, or uuid.Nil if nobody does.
	Owner uuid.UUID
	// Epoch rises whenever the lease changes hands.
	Epoch int64
}

// GroupProgress is the progress of a group in a partition.
type GroupProgress struct {
	// Checkpoint is the position up to which every selected event is settled.
	Checkpoint fdbevents.Position
	// Settled holds the positions after Checkpoint whose events are settled, in
	// ascending order.
	Settled []fdbevents.Position
	// Attempts holds the events after Checkpoint that failed and will be retried, in
	// ascending order of position.
	Attempts []GroupAttempt
}

// GroupAttempt says how many times the event at a position has failed.
type GroupAttempt struct {
	At     fdbevents.Position
	Failed int
}

// GroupParked describes a parked event: how many times it was delivered, the reason for
// which it was parked, and when.
type GroupParked struct {
	Attempts int
	Reason   string
	Time     time.Time
}

// AppendGroupConfig appends the encoding of c to dst.
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

// DecodeGroupConfig decodes the settings of a group.
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
		r.fail(fmt.Errorf("message timeout %v, lease %v, %d retries", c.MessageTimeout, c.LeaseTime, c.MaxRetries))
	}
	c.Paused = r.bool()
	return c, r.end()
}

// AppendGroupLease appends the encoding of l to dst.
func AppendGroupLease(dst []byte, l GroupLease) []byte {
	w := beginValue(dst, formatGroup, 3)
	w.bytes(l.Owner[:])
	w.int(l.Epoch)
	return w.end()
}

// DecodeGroupLease decodes a lease.
func DecodeGroupLease(src []byte) (l GroupLease, err error) {
	r := readValue(src, "group lease", formatGroup, 3)
	l.Owner = r.uuid()
	l.Epoch = r.int()
	return l, r.end()
}

// AppendGroupProgress appends the encoding of p to dst:
//
//	[1, checkpoint, settled, [position, failed, …]]
//
// settled is one byte string that holds all positions.
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

// DecodeGroupProgress decodes the progress of a group. It refuses positions that are
// out of order.
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

// AppendGroupParked appends the encoding of p to dst.
func AppendGroupParked(dst []byte, p GroupParked) []byte {
	w := beginValue(dst, formatGroup, 4)
	w.int(int64(p.Attempts))
	w.text(p.Reason)
	w.int(p.Time.UnixNano())
	return w.end()
}

// DecodeGroupParked decodes a parked event.
func DecodeGroupParked(src []byte) (p GroupParked, err error) {
	r := readValue(src, "parked message", formatGroup, 4)
	p.Attempts = int(r.int())
	p.Reason = r.text()
	p.Time = time.Unix(0, r.int()).UTC()
	return p, r.end()
}

// AppendGroupCount appends the encoding of n: the heartbeat counter of a member, or how
// many times an event has failed since it was chosen for replay.
func AppendGroupCount(dst []byte, n int64) []byte {
	w := beginValue(dst, formatGroup, 2)
	w.int(n)
	return w.end()
}

// DecodeGroupCount decodes what AppendGroupCount encoded.
func DecodeGroupCount(src []byte) (n int64, err error) {
	r := readValue(src, "group counter", formatGroup, 2)
	n = r.int()
	return n, r.end()
}
