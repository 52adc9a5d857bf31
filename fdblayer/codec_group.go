package fdblayer

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"github.com/google/uuid"
)

// The values of consumer groups: msgpack arrays that begin with a format number.

const (
	formatGroup = 1
	// maxGroupMarks bounds the positions and attempts in one groupProgress, far
	// above what a lease keeps.
	maxGroupMarks = engine.MaxValueSize / positionSize
)

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

// beginGroup begins a value with so many fields, the format included.
func (e *encoder) beginGroup(fields int) {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(fields)
	_ = e.enc.EncodeInt(formatGroup)
}

func (d *decoder) beginGroup(what string, src []byte, fields int) error {
	d.reset(src)
	n, err := d.dec.DecodeArrayLen()
	if err != nil {
		return corrupt(err)
	}
	format, err := d.dec.DecodeInt64()
	if err != nil {
		return corrupt(err)
	}
	if format != formatGroup || n != fields {
		return fmt.Errorf("%w: %s format %d with %d fields; a newer version wrote it", ErrFormat, what, format, n)
	}
	return nil
}

func (e *encoder) groupConfig(c groupConfig) []byte {
	e.beginGroup(9)
	_ = e.enc.EncodeBytes(c.incarnation[:])
	_ = e.enc.EncodeString(c.prefix)
	_ = e.enc.EncodeArrayLen(len(c.query.Items))
	for _, it := range c.query.Items {
		_ = e.enc.EncodeArrayLen(2)
		for _, texts := range [][]string{it.Types, it.Tags} {
			_ = e.enc.EncodeArrayLen(len(texts))
			for _, text := range texts {
				_ = e.enc.EncodeString(text)
			}
		}
	}
	_ = e.enc.EncodeBytes(c.from.stamp[:])
	_ = e.enc.EncodeInt(int64(c.messageTimeout))
	_ = e.enc.EncodeInt(int64(c.maxRetries))
	_ = e.enc.EncodeInt(int64(c.leaseTime))
	_ = e.enc.EncodeBool(c.paused)
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) groupConfig(src []byte) (c groupConfig, err error) {
	if err = d.beginGroup("group settings", src, 9); err != nil {
		return c, err
	}
	if err = d.groupConfigFields(&c); err != nil {
		return c, corrupt(err)
	}
	return c, nil
}

func (d *decoder) groupConfigFields(c *groupConfig) (err error) {
	if c.incarnation, err = d.uuid(); err != nil {
		return err
	}
	if c.prefix, err = d.text(new(string)); err != nil {
		return err
	}
	items, err := d.count()
	if err != nil {
		return err
	}
	for range items {
		var it QueryItem
		if n, err := d.dec.DecodeArrayLen(); err != nil || n != 2 {
			return fmt.Errorf("query item of %d parts: %w", n, err)
		}
		for _, texts := range []*[]string{&it.Types, &it.Tags} {
			n, err := d.count()
			if err != nil {
				return err
			}
			for range n {
				text, err := d.text(new(string))
				if err != nil {
					return err
				}
				*texts = append(*texts, text)
			}
		}
		c.query.Items = append(c.query.Items, it)
	}
	if c.from, err = d.position(); err != nil {
		return err
	}
	var timeout, retries, lease int64
	for _, field := range []*int64{&timeout, &retries, &lease} {
		if *field, err = d.dec.DecodeInt64(); err != nil {
			return err
		}
	}
	c.messageTimeout, c.maxRetries, c.leaseTime = time.Duration(timeout), int(retries), time.Duration(lease)
	if c.messageTimeout <= 0 || c.leaseTime <= 0 || c.maxRetries < 0 {
		return fmt.Errorf("message time-out %v, lease %v, %d retries", c.messageTimeout, c.leaseTime, c.maxRetries)
	}
	c.paused, err = d.dec.DecodeBool()
	return err
}

func (e *encoder) groupLease(l groupLease) []byte {
	e.beginGroup(3)
	_ = e.enc.EncodeBytes(l.owner[:])
	_ = e.enc.EncodeInt(l.epoch)
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) groupLease(src []byte) (l groupLease, err error) {
	if err = d.beginGroup("group lease", src, 3); err != nil {
		return l, err
	}
	if l.owner, err = d.uuid(); err != nil {
		return l, corrupt(err)
	}
	if l.epoch, err = d.dec.DecodeInt64(); err != nil {
		return l, corrupt(err)
	}
	return l, nil
}

// groupProgress encodes [1, checkpoint, settled, [position, failed, …]]; settled
// is one byte string of positions.
func (e *encoder) groupProgress(p groupProgress) []byte {
	e.beginGroup(4)
	_ = e.enc.EncodeBytes(p.checkpoint.stamp[:])
	_ = e.enc.EncodeBytesLen(len(p.settled) * positionSize)
	for i := range p.settled {
		e.buf.Write(p.settled[i].stamp[:])
	}
	_ = e.enc.EncodeArrayLen(2 * len(p.attempts))
	for i := range p.attempts {
		_ = e.enc.EncodeBytes(p.attempts[i].at.stamp[:])
		_ = e.enc.EncodeInt(int64(p.attempts[i].failed))
	}
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) groupProgress(src []byte) (p groupProgress, err error) {
	if err = d.beginGroup("group progress", src, 4); err != nil {
		return p, err
	}
	if err = d.groupProgressFields(&p); err != nil {
		return p, corrupt(err)
	}
	return p, nil
}

func (d *decoder) groupProgressFields(p *groupProgress) (err error) {
	if p.checkpoint, err = d.position(); err != nil {
		return err
	}
	settled, err := d.bytes()
	if err != nil {
		return err
	}
	if len(settled)%positionSize != 0 {
		return fmt.Errorf("settled positions of %d bytes", len(settled))
	}
	last := p.checkpoint
	for ; len(settled) > 0; settled = settled[positionSize:] {
		at := Position{[12]byte(settled)}
		if !last.Before(at) {
			return fmt.Errorf("settled position %s after %s", at, last)
		}
		p.settled = append(p.settled, at)
		last = at
	}
	n, err := d.count()
	if err != nil {
		return err
	}
	last = p.checkpoint
	for range n / 2 {
		var a groupAttempt
		if a.at, err = d.position(); err != nil {
			return err
		}
		if a.failed, err = d.dec.DecodeInt(); err != nil {
			return err
		}
		if !last.Before(a.at) || a.failed < 1 {
			return fmt.Errorf("%d failed attempts at position %s after %s", a.failed, a.at, last)
		}
		p.attempts = append(p.attempts, a)
		last = a.at
	}
	return nil
}

func (e *encoder) groupParked(p groupParked) []byte {
	e.beginGroup(4)
	_ = e.enc.EncodeInt(int64(p.attempts))
	_ = e.enc.EncodeString(p.reason)
	_ = e.enc.EncodeInt(p.time.UnixNano())
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) groupParked(src []byte) (p groupParked, err error) {
	if err = d.beginGroup("parked message", src, 4); err != nil {
		return p, err
	}
	if p.attempts, err = d.dec.DecodeInt(); err != nil {
		return p, corrupt(err)
	}
	if p.reason, err = d.text(new(string)); err != nil {
		return p, corrupt(err)
	}
	nanos, err := d.dec.DecodeInt64()
	if err != nil {
		return p, corrupt(err)
	}
	p.time = time.Unix(0, nanos).UTC()
	return p, nil
}

// groupCount encodes a member's heartbeat counter, or how often a message that is
// to be replayed has failed since then.
func (e *encoder) groupCount(n int64) []byte {
	e.beginGroup(2)
	_ = e.enc.EncodeInt(n)
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) groupCount(src []byte) (n int64, err error) {
	if err = d.beginGroup("group counter", src, 2); err != nil {
		return 0, err
	}
	if n, err = d.dec.DecodeInt64(); err != nil {
		return 0, corrupt(err)
	}
	return n, nil
}

func (d *decoder) uuid() (id uuid.UUID, err error) {
	b, err := d.bytes()
	if err == nil && len(b) != len(id) {
		err = fmt.Errorf("uuid of %d bytes", len(b))
	}
	if err == nil {
		copy(id[:], b)
	}
	return id, err
}

func (d *decoder) position() (p Position, err error) {
	b, err := d.bytes()
	if err == nil && len(b) != positionSize {
		err = fmt.Errorf("position of %d bytes", len(b))
	}
	if err == nil {
		copy(p.stamp[:], b)
	}
	return p, err
}

// count reads the length of an array of which each element has a byte at least.
func (d *decoder) count() (int, error) {
	n, err := d.dec.DecodeArrayLen()
	if err == nil && (n < 0 || n > d.r.Len() || n > maxGroupMarks) {
		err = errors.New("array longer than its value")
	}
	return max(n, 0), err
}
