package fdblayer

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// The values of consumer groups: msgpack arrays that begin with a format number.

const formatGroup = 1

// groupConfig is what was fixed when a group was created, and whether it is
// paused.
type groupConfig struct {
	// incarnation tells a group from an earlier one of the same name.
	incarnation    uuid.UUID
	prefix         string
	query          Query
	from           Position
	messageTimeout time.Duration
	maxRetries     int
	leaseTime      time.Duration
	paused         bool
}

// groupLease says who delivers a partition to a group.
type groupLease struct {
	// owner is a member, uuid.Nil when nobody.
	owner uuid.UUID
	// epoch rises whenever the partition changes hands.
	epoch int64
}

// groupProgress is how far a group has come in a partition.
type groupProgress struct {
	// checkpoint is the position up to which everything selected is settled.
	checkpoint Position
	// settled are the positions of settled events after checkpoint, in order.
	settled []Position
	// attempts are those events after checkpoint that failed and will be retried,
	// in order.
	attempts []groupAttempt
}

// groupAttempt is how often the event at a position has failed.
type groupAttempt struct {
	at     Position
	failed int
}

// groupParked is a parked event.
type groupParked struct {
	attempts int
	reason   string
	time     time.Time
}

func appendGroupConfig(dst []byte, c groupConfig) []byte {
	w := beginValue(dst, formatGroup, 9)
	w.bytes(c.incarnation[:])
	w.text(c.prefix)
	w.array(len(c.query.Items))
	for _, it := range c.query.Items {
		w.array(2)
		w.texts(it.Types)
		w.texts(it.Tags)
	}
	w.position(c.from)
	w.int(int64(c.messageTimeout))
	w.int(int64(c.maxRetries))
	w.int(int64(c.leaseTime))
	w.bool(c.paused)
	return w.end()
}

func decodeGroupConfig(src []byte) (c groupConfig, err error) {
	r := readValue(src, "group settings", formatGroup, 9)
	c.incarnation = r.uuid()
	c.prefix = r.text()
	for range r.count() {
		if n := r.array(); n != 2 {
			r.fail(fmt.Errorf("query item of %d parts", n))
		}
		c.query.Items = append(c.query.Items, QueryItem{Types: r.texts(), Tags: r.texts()})
	}
	c.from = r.position()
	c.messageTimeout = time.Duration(r.int())
	c.maxRetries = int(r.int())
	c.leaseTime = time.Duration(r.int())
	if c.messageTimeout <= 0 || c.leaseTime <= 0 || c.maxRetries < 0 {
		r.fail(fmt.Errorf("message time-out %v, lease %v, %d retries", c.messageTimeout, c.leaseTime, c.maxRetries))
	}
	c.paused = r.bool()
	return c, r.end()
}

func appendGroupLease(dst []byte, l groupLease) []byte {
	w := beginValue(dst, formatGroup, 3)
	w.bytes(l.owner[:])
	w.int(l.epoch)
	return w.end()
}

func decodeGroupLease(src []byte) (l groupLease, err error) {
	r := readValue(src, "group lease", formatGroup, 3)
	l.owner = r.uuid()
	l.epoch = r.int()
	return l, r.end()
}

// appendGroupProgress encodes [1, checkpoint, settled, [position, failed, …]];
// settled is one byte string of positions.
func appendGroupProgress(dst []byte, p groupProgress) []byte {
	w := beginValue(dst, formatGroup, 4)
	w.position(p.checkpoint)
	_ = w.enc.EncodeBytesLen(len(p.settled) * positionSize)
	for i := range p.settled {
		w.dst = appendPositionBytes(w.dst, p.settled[i])
	}
	w.array(2 * len(p.attempts))
	for i := range p.attempts {
		w.position(p.attempts[i].at)
		w.int(int64(p.attempts[i].failed))
	}
	return w.end()
}

func decodeGroupProgress(src []byte) (p groupProgress, err error) {
	r := readValue(src, "group progress", formatGroup, 4)
	p.checkpoint = r.position()
	settled := r.bytes()
	if len(settled)%positionSize != 0 {
		r.fail(fmt.Errorf("settled positions of %d bytes", len(settled)))
	}
	last := p.checkpoint
	for ; r.err == nil && len(settled) > 0; settled = settled[positionSize:] {
		at := PositionFromBytes([positionSize]byte(settled))
		if !last.Before(at) {
			r.fail(fmt.Errorf("settled position %s after %s", at, last))
		}
		p.settled = append(p.settled, at)
		last = at
	}
	last = p.checkpoint
	for n := r.count() / 2; r.err == nil && n > 0; n-- {
		a := groupAttempt{at: r.position(), failed: int(r.int())}
		if !last.Before(a.at) || a.failed < 1 {
			r.fail(fmt.Errorf("%d failed attempts at position %s after %s", a.failed, a.at, last))
		}
		p.attempts = append(p.attempts, a)
		last = a.at
	}
	return p, r.end()
}

func appendGroupParked(dst []byte, p groupParked) []byte {
	w := beginValue(dst, formatGroup, 4)
	w.int(int64(p.attempts))
	w.text(p.reason)
	w.int(p.time.UnixNano())
	return w.end()
}

func decodeGroupParked(src []byte) (p groupParked, err error) {
	r := readValue(src, "parked message", formatGroup, 4)
	p.attempts = int(r.int())
	p.reason = r.text()
	p.time = time.Unix(0, r.int()).UTC()
	return p, r.end()
}

// appendGroupCount encodes a member's heartbeat counter, or how often a message that
// is to be replayed has failed since then.
func appendGroupCount(dst []byte, n int64) []byte {
	w := beginValue(dst, formatGroup, 2)
	w.int(n)
	return w.end()
}

func decodeGroupCount(src []byte) (n int64, err error) {
	r := readValue(src, "group counter", formatGroup, 2)
	n = r.int()
	return n, r.end()
}
