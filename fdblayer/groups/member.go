package groups

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
)

// Member shares a group's messages with the group's other members. It takes leases of
// partitions, up to its fair share, keeps them with a heartbeat, and gives some up
// when others join. A member that was silent for the group's LeaseTime, so that others
// took over, joins again by itself.
//
// Its methods may be called from any number of goroutines. It lives until Close, or
// until its Store closes.
type Member struct {
	*membership
	// leases says what the member holds and may deliver. Each lease has a read loop.
	leases *leaseSet
	// heartbeats keeps the member alive in the store, and takes leases.
	heartbeats *heartbeatLoop
	// follows wakes read loops when events are appended.
	follows *followLoop
	// settles writes the ends of messages, and gives leases up.
	settles *settleLoop

	// done is closed when all goroutines of the member have ended.
	done chan struct{}
	// left is why the member's key could not be removed. run sets it before it closes
	// done; others read it afterwards.
	left error
}

const (
	// patience is how long a member that ends waits for the engine.
	patience = 5 * time.Second
	// patienceToLeave is how long a member that could not join may take to leave.
	patienceToLeave = time.Second
)

// errMemberClosed is the cause of a member's end by Close.
var errMemberClosed = errors.New("member is closed")

// Join makes the caller's process a member of the group. ctx bounds only the joining.
// The caller ends the membership with Close.
//
// Errors: ErrGroupDeleted, ErrClosed.
func (g *Group) Join(ctx context.Context) (*Member, error) {
	m, err := g.join(ctx)
	if err != nil {
		return nil, fmt.Errorf("joining consumer group %q: %w", g.name, err)
	}
	return m, nil
}

func (g *Group) join(ctx context.Context) (*Member, error) {
	door, storeCtx, leave, err := g.door.Stay()
	if err != nil {
		return nil, err
	}
	// Following comes first, so that it reports every event that a read loop does not
	// find in the log yet.
	events, err := door.Follow()
	if err != nil {
		leave()
		return nil, err
	}
	m := newMember(g, door, storeCtx, events)
	bell, err := m.heartbeats.beat(ctx)
	if err != nil {
		m.stop(err)
		m.leases.reading.Wait()
		events.Close()
		defer leave()
		// The heartbeat may have been committed all the same. If the member leaves,
		// others need not wait until it counts as silent.
		if engine.MaybeCommitted(err) {
			short, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceToLeave)
			defer cancel()
			_ = m.heartbeats.leave(short)
		}
		return nil, err
	}
	go func() {
		defer leave()
		m.run(bell)
	}()
	return m, nil
}

// newMember builds a member that does nothing yet.
func newMember(g *Group, door fdblayer.Door, storeCtx context.Context, events *fdblayer.Follower) *Member {
	shared := &membership{
		group: g, config: g.options.config(), door: door, storeCtx: storeCtx,
		available: newSignal(), wakeHeartbeat: newSignal(), wakeSettle: newSignal(),
	}
	shared.ctx, shared.stop = context.WithCancelCause(storeCtx)
	leases := newLeaseSet(shared)
	return &Member{
		membership: shared,
		leases:     leases,
		heartbeats: newHeartbeatLoop(shared, leases),
		follows:    &followLoop{membership: shared, leases: leases, events: events},
		settles:    leases.settles,
		done:       make(chan struct{}),
	}
}

// run keeps the membership until ctx ends, and then waits for all goroutines.
func (m *Member) run(bell engine.Watch) {
	defer close(m.done)
	// Settlements under way are finished after ctx has ended. They are cut off only if
	// the engine does not answer.
	work, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	var following, settling sync.WaitGroup
	following.Go(m.follows.run)
	settling.Go(func() { m.settles.run(work) })
	defer context.AfterFunc(m.ctx, func() {
		deadline := time.AfterFunc(patience, giveUp)
		context.AfterFunc(work, func() { deadline.Stop() })
	})()
	m.heartbeats.run(work, bell)
	m.leases.reading.Wait()
	following.Wait()
	m.follows.events.Close()
	// No lease is taken any more, so the settle loop ends when it has given up those
	// that are left.
	m.settles.close()
	settling.Wait()
	m.left = m.heartbeats.leave(work)
}

// ID returns the id by which Info lists the member. It changes when the member had to
// join again.
func (m *Member) ID() uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heartbeats.id
}

// Close ends the membership. No more messages are delivered, settlements under way are
// finished, and the leases are given up, so that other members take over at once and
// deliver the messages that were not settled. Close gives up after five seconds, with
// an error; other members then wait for the group's LeaseTime. A second Close waits
// for the first, and returns the same.
func (m *Member) Close() error {
	m.stop(errMemberClosed)
	<-m.done
	if m.left != nil {
		return fmt.Errorf("leaving consumer group %q: %w", m.group.name, m.left)
	}
	return nil
}

// Messages yields the messages of the partitions that the member holds. Messages of
// one stream come in order, each after the one before it was settled. Several
// goroutines may each range over Messages, and share the messages. The group's
// MessageTimeout for a message starts when it is yielded; leaving the loop does not
// settle it.
//
// The iterator ends when the loop is left, when the member is closed, or with one
// error: ctx's cause, ErrGroupDeleted, ErrClosed, or the error of a read that cannot
// succeed.
func (m *Member) Messages(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for {
			msg, err := m.next(ctx)
			if err == errMemberClosed {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("consumer group %q: %w", m.group.name, err))
				return
			}
			if !yield(msg, nil) {
				return
			}
		}
	}
}

// next waits for a message.
func (m *Member) next(ctx context.Context) (*Message, error) {
	for {
		if err := context.Cause(ctx); err != nil {
			m.available.send() // this consumer may have taken a signal that another needs
			return nil, err
		}
		if m.ctx.Err() != nil {
			return nil, m.ended()
		}
		if msg := m.leases.deliver(); msg != nil {
			return msg, nil
		}
		select {
		case <-m.available:
		case <-ctx.Done():
		case <-m.ctx.Done():
		}
	}
}
