package pebbleengine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/engine"
)

// request is a commit on its way through the store.
type request struct {
	*commit
	// readHashes are the hashes of reads.points; writeHashes are the hashes of the
	// keys of mutations that write a single key known before the stamp.
	readHashes, writeHashes []uint64

	// role says what the caller does; see the constants. It leaves waiting only
	// once.
	role atomic.Int32
	// turn tells a waiting caller that its role has changed. It has room for
	// everything that is ever sent, so nobody blocks on a caller that has gone.
	turn chan struct{}

	result outcome
	err    error // set, with result, before role is done
}

const (
	waiting int32 = iota // in the queue or in a group
	leader               // first in the queue: leads the next group
	done                 // result and err are set
	gone                 // ctx ended; in a group already, or never in one
)

// commit implements backend.
func (s *store) commit(ctx context.Context, c *commit) (outcome, error) {
	r := &request{commit: c, turn: make(chan struct{}, 2)}
	r.readHashes = hashes(s.seed, nil, c.reads.points)
	r.writeHashes = make([]uint64, 0, len(c.mutations))
	for _, m := range c.mutations {
		if m.op != opClearRange && m.op != engine.OpVersionstampedKey {
			r.writeHashes = append(r.writeHashes, maphash.Bytes(s.seed, m.key))
		}
	}

	s.mu.Lock()
	if err := s.refusal(); err != nil {
		s.mu.Unlock()
		return outcome{}, err
	}
	s.queue = append(s.queue, r)
	if !s.leading && len(s.unpublished) < depth {
		s.leading = true
		r.role.Store(leader)
		s.mu.Unlock()
		s.lead()
		return r.result, r.err
	}
	s.mu.Unlock()

	select {
	case <-r.turn:
	case <-ctx.Done():
		if r.role.CompareAndSwap(waiting, gone) {
			return outcome{}, fmt.Errorf("commit: %w", ctx.Err())
		}
		<-r.turn
	}
	if r.role.Load() == leader {
		s.lead()
	}
	return r.result, r.err
}

// depth is how many groups may be on their way to disk at one time. Pebble syncs
// together what has gathered during the previous sync; waiting for that here
// would only add delay.
const depth = 16

// refusal returns why nothing can be committed, or nil. The caller holds mu.
func (s *store) refusal() error {
	if s.closed {
		return engine.ErrClosed
	}
	return s.broken
}

// group is the set of requests that one version commits.
type group struct {
	requests []*request
	batch    *pebble.Batch
	// accepted counts the requests that write and have passed the check. If it is
	// 0 there is no batch, no view and nothing to wait for.
	accepted int
	version  int64
	history  *history
	fired    []*watch
	view     *snapshotView
	failed   bool // under mu
}

// lead commits queued requests as one group. The caller's request is the first in
// the queue.
func (s *store) lead() {
	g := &group{}
	err := s.gather(g)
	if err == nil {
		err = s.write(g)
	}
	if err != nil {
		s.fail(g, err)
		return
	}
	s.mu.Lock()
	s.leading = false
	s.unpublished = append(s.unpublished, g)
	wait := g.batch != nil || len(s.unpublished) > 1
	s.promote()
	s.mu.Unlock()

	if g.batch != nil {
		if s.durable {
			err = g.batch.SyncWait()
		}
		if err != nil {
			s.fail(g, err)
			return
		}
		_ = g.batch.Close()
	} else if wait {
		return // the previous group publishes this one too
	}
	s.publish(g)
}

// gather takes a group off the queue.
func (s *store) gather(g *group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, n := int64(0), 0
	for n < len(s.queue) && size < maxGroup && len(g.requests) < math.MaxUint16 {
		r := s.queue[n]
		n++
		if r.role.Load() == gone {
			continue
		}
		size += r.size
		g.requests = append(g.requests, r)
	}
	left := copy(s.queue, s.queue[n:])
	clear(s.queue[left:])
	s.queue = s.queue[:left]
	return s.broken
}

// errPanicked stands for a panic of Pebble, which is how it reports that it
// cannot write. It may hold locks for ever.
var errPanicked = errors.New("pebble panicked")

// write checks and stamps the group and hands it to Pebble, which starts writing
// it to disk. An error ends all commits of the store.
func (s *store) write(g *group) (err error) {
	defer rescue(&err)
	now := time.Now()
	s.prune(now)
	g.version = max(s.version+1, now.UnixMicro())
	for _, r := range g.requests {
		if r.writing() {
			if r.err = s.window.check(r.version, &r.reads, r.readHashes); r.err != nil {
				continue
			}
			if err := s.accept(g, r); err != nil {
				return err
			}
		}
		s.arm(g, r)
	}
	if g.accepted == 0 {
		return nil
	}
	s.version = g.version
	if err := g.batch.Set(versionKey, binary.BigEndian.AppendUint64(nil, uint64(g.version)), nil); err != nil {
		return err
	}
	if err := s.apply(g.batch); err != nil {
		return err
	}
	// Nobody else writes, so the snapshot is the state right after this group.
	g.view = newView(s, g.version)
	s.views = append(s.views, g.view)
	return nil
}

// apply hands the batch to Pebble. It returns even if Pebble never answers; see
// guard.
func (s *store) apply(b *pebble.Batch) error {
	if !s.durable {
		return s.db.Apply(b, pebble.NoSync)
	}
	answer := make(chan error, 1)
	go func() {
		var err error
		defer func() { answer <- err }()
		defer rescue(&err)
		err = s.db.ApplyNoSyncWait(b, pebble.Sync)
	}()
	select {
	case err := <-answer:
		return err
	case <-s.dead:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.broken
	}
}

// accept adds a request's writes to the batch and to the window.
func (s *store) accept(g *group, r *request) error {
	if g.batch == nil {
		g.history = s.window.begin(g.version)
		g.batch = s.db.NewBatch()
	}
	if g.accepted == math.MaxUint16 {
		return errors.New("group is full") // gather prevents this
	}
	r.result = outcome{version: g.version, index: uint16(g.accepted)}
	g.accepted++
	points, ranges := len(g.history.hashes), len(g.history.ranges)
	stamp := makeStamp(g.version, r.result.index)
	hashed := r.writeHashes
	for _, m := range r.mutations {
		key := m.key
		var hash uint64
		switch m.op {
		case opClearRange, engine.OpVersionstampedKey:
		default:
			hash, hashed = hashed[0], hashed[1:]
		}
		var err error
		switch m.op {
		case opSet:
			err = g.batch.Set(key, m.value, nil)
		case opClear:
			err = g.batch.Delete(key, nil)
		case opClearRange:
			err = g.batch.DeleteRange(key, m.value, nil)
			s.window.addRange(g.history, engine.Range{Begin: key, End: m.value})
		case engine.OpVersionstampedKey:
			if key, err = setStampedKey(g.batch, key, m.value, stamp); err == nil {
				hash = maphash.Bytes(s.seed, key)
			}
		case engine.OpVersionstampedValue:
			err = setStampedValue(g.batch, key, m.value, stamp)
		default:
			err = s.applyAtomic(g, m)
		}
		if err != nil {
			return err
		}
		if m.op != opClearRange {
			s.window.addPoint(g.history, key, hash)
		}
	}
	for _, w := range r.writes {
		s.window.addRange(g.history, w)
	}
	g.fired = s.watches.touched(g.fired, g.history, points, ranges)
	return nil
}

// setStampedKey sets the parameter of a versionstamped key, with the stamp in its
// place, to value. It builds the key in Pebble's memory, without a copy on the
// way. The key returned is valid until the next write to the batch.
func setStampedKey(b *pebble.Batch, param, value []byte, stamp engine.Stamp) (key []byte, err error) {
	plain, offset, err := engine.StampPlace(param)
	if err != nil {
		return nil, err
	}
	op := b.SetDeferred(len(plain), len(value))
	copy(op.Key, plain)
	copy(op.Key[offset:], stamp[:])
	copy(op.Value, value)
	return op.Key, op.Finish()
}

// setStampedValue sets key to the parameter of a versionstamped value, with the
// stamp in its place.
func setStampedValue(b *pebble.Batch, key, param []byte, stamp engine.Stamp) error {
	plain, offset, err := engine.StampPlace(param)
	if err != nil {
		return err
	}
	op := b.SetDeferred(len(key), len(plain))
	copy(op.Key, key)
	copy(op.Value, plain)
	copy(op.Value[offset:], stamp[:])
	return op.Finish()
}

// applyAtomic evaluates an operation against the state that includes all groups
// before this one, synced or not, and what this one has written so far.
func (s *store) applyAtomic(g *group, m mutation) error {
	if !g.batch.Indexed() {
		indexed := s.db.NewIndexedBatch()
		if err := errors.Join(indexed.Apply(g.batch, nil), g.batch.Close()); err != nil {
			return err
		}
		g.batch = indexed
	}
	var old []byte
	value, closer, err := g.batch.Get(m.key)
	switch {
	case err == nil:
		old = append([]byte{}, value...)
		if err := closer.Close(); err != nil {
			return err
		}
	case !errors.Is(err, pebble.ErrNotFound):
		return err
	}
	if fresh := evaluate(m.op, old, m.value); fresh != nil {
		return g.batch.Set(m.key, fresh, nil)
	}
	return g.batch.Delete(m.key, nil)
}

// arm activates the watches of a request. Later writes, in this group or in
// groups to come, will fire them.
func (s *store) arm(g *group, r *request) {
	for _, w := range r.watches {
		s.watches.arm(w)
		seen := r.version
		if r.writing() {
			seen = g.version // the request has just passed the check, or wrote the key itself
		}
		if w.changed || seen != g.version && s.window.wrote(w.key, maphash.Bytes(s.seed, w.key), seen) {
			g.fired = append(g.fired, w)
		}
	}
}

// prune drops the views and the part of the window that nobody needs.
func (s *store) prune(now time.Time) {
	// A view without leases holds nothing back. A view that has outlived
	// MaxTransactionAge holds nothing back either, but stays in the list until it
	// is released.
	oldest := s.version
	kept := s.views[:0]
	for _, v := range s.views {
		if v.leases.Load() == 0 {
			continue
		}
		kept = append(kept, v)
		since := v.superseded.Load()
		if since == 0 || now.Sub(s.start)-time.Duration(since) <= engine.MaxTransactionAge {
			oldest = min(oldest, v.at)
		}
	}
	clear(s.views[len(kept):])
	s.views = kept
	s.window.prune(oldest)
}

// publish makes everything up to group g, which is on disk, readable. It then
// fires watches and answers the callers. Pebble syncs in order: the groups before
// g are on disk too, whether or not their own leaders have noticed.
func (s *store) publish(g *group) {
	s.mu.Lock()
	n := slices.Index(s.unpublished, g) + 1
	if n == 0 {
		s.mu.Unlock()
		return // another leader was faster, or the store has failed
	}
	for n < len(s.unpublished) && s.unpublished[n].batch == nil {
		n++
	}
	groups := slices.Clone(s.unpublished[:n])
	s.unpublished = slices.Delete(s.unpublished, 0, n)
	var before []*snapshotView
	for _, g := range groups {
		if g.view != nil {
			v := s.current.Swap(g.view)
			v.superseded.Store(int64(time.Since(s.start)))
			before = append(before, v)
		}
	}
	s.promote()
	s.mu.Unlock()
	for _, v := range before {
		v.release()
	}
	for _, g := range groups {
		for _, w := range g.fired {
			w.end(nil)
		}
		for _, r := range g.requests {
			r.finish()
		}
	}
}

// promote makes the first request that still waits in the queue the leader, if
// there is no leader and may be one. The caller holds mu.
func (s *store) promote() {
	if s.leading || len(s.unpublished) >= depth {
		return
	}
	for i, r := range s.queue {
		if r.role.CompareAndSwap(waiting, leader) {
			s.leading = true
			s.queue = slices.Delete(s.queue, 0, i)
			r.turn <- struct{}{}
			return
		}
	}
	clear(s.queue)
	s.queue = s.queue[:0]
	s.settle()
}

// settle closes idle after the last commit of a closed store. The caller holds
// mu.
func (s *store) settle() {
	if s.closed && !s.leading && len(s.unpublished) == 0 && len(s.queue) == 0 {
		select {
		case <-s.idle:
		default:
			close(s.idle)
		}
	}
}

// finish answers the caller of a request, unless that caller is leading or gone.
func (r *request) finish() {
	if r.role.CompareAndSwap(waiting, done) {
		r.turn <- struct{}{}
	}
}

// die ends all commits of the store because Pebble cannot go on. Groups on their
// way to disk may still get there.
func (s *store) die(cause error) {
	s.mu.Lock()
	s.breakDown(cause)
	select {
	case <-s.dead:
	default:
		close(s.dead)
	}
	queued := s.queue
	s.queue = nil
	for _, r := range queued {
		r.err = s.broken
	}
	s.settle()
	s.mu.Unlock()
	s.watches.close(s.broken)
	for _, r := range queued {
		r.finish()
	}
}

// breakDown records why nothing can be committed any more. The caller holds mu.
func (s *store) breakDown(cause error) {
	if s.broken != nil {
		return
	}
	way := "close the database and open it again"
	if errors.Is(cause, errPanicked) {
		way = "end this process and start it again" // Pebble keeps its locks
	}
	if errors.Is(cause, syscall.ENOSPC) {
		way = "make room on the disk, then " + way
	}
	s.broken = fmt.Errorf("embedded store accepts no more commits because a write failed; %s: %w", way, cause)
}

// fail ends all commits of the store, because of group g: nobody can know what is
// on disk.
func (s *store) fail(g *group, cause error) {
	s.mu.Lock()
	s.breakDown(cause)
	groups, queued := append(s.unpublished, g), s.queue
	s.unpublished, s.queue = nil, nil
	if !g.failed && !slices.Contains(groups[:len(groups)-1], g) {
		s.leading = false // its leader got no further
	}
	var told []*request
	for _, g := range groups {
		if g.failed {
			continue
		}
		g.failed = true
		for _, r := range g.requests {
			if r.err == nil {
				r.err = fmt.Errorf("write failed: %w: %w", cause, engine.ErrCommitUnknown)
			}
		}
		told = append(told, g.requests...)
	}
	for _, r := range queued {
		r.err = s.broken
	}
	told = append(told, queued...)
	s.settle()
	s.mu.Unlock()
	s.watches.close(s.broken)
	for _, r := range told {
		r.finish()
	}
}
