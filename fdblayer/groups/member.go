package groups

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// Member is one of those who share a group's messages. It takes leases of
// partitions, as many as are fair, keeps them with a heartbeat, and gives them up
// when others come. A member that was silent for the group's LeaseTime, so that
// others took over, joins again by itself.
//
// Its methods may be called from any number of goroutines. It lives until Close,
// or that of the Store.
type Member struct {
	// door is the member's own, through which the last settlements are written while
	// the store closes. closing is the store's context.
	door    fdblayer.Door
	storing context.Context
	group   *Group
	// config is what was fixed when the group was created.
	config layout.GroupConfig

	// ctx ends when the member shall; its cause says why.
	ctx  context.Context
	stop context.CancelCauseFunc
	// done is closed when everything that the member started has ended; left is set
	// before.
	done chan struct{}
	left error
	// events wakes up at the end of the log.
	events *fdblayer.Follower
	feeds  sync.WaitGroup

	// These have room for one signal each: there may be a message to deliver, the
	// settler has something to do, the keeper has.
	available, settle, look chan struct{}

	// The keeper alone uses these: what it saw of the other members.
	counter  int64
	joined   bool
	observed map[uuid.UUID]observation

	mu sync.Mutex
	id uuid.UUID
	// leases are those that the member believes it holds.
	leases map[int]*lease
	// turn is the partition that is next to deliver, so that all get a turn.
	turn   int
	paused bool
	// beatAt is when the last heartbeat that was written began.
	beatAt time.Time
	queue  []*settlement
	timers timers
	// closing is true when the settler shall end after what is queued.
	closing bool
}

const (
	// pauseAfterFailure is how long to wait after a watch or a read that failed.
	pauseAfterFailure = 20 * time.Millisecond
	// patience is how long a member that ends waits for the engine.
	patience = 5 * time.Second
	// patienceToLeave is how long one may take that could not join.
	patienceToLeave = time.Second
)

// errMemberClosed is the cause of a member's end by Close.
var errMemberClosed = errors.New("member is closed")

// Join makes the caller's process a member of the group. ctx bounds the joining
// only. The caller ends the membership with Close.
func (g *Group) Join(ctx context.Context) (*Member, error) {
	m, err := g.join(ctx)
	if err != nil {
		return nil, fmt.Errorf("joining consumer group %q: %w", g.name, err)
	}
	return m, nil
}

func (g *Group) join(ctx context.Context) (*Member, error) {
	door, storing, leave, err := g.door.Stay()
	if err != nil {
		return nil, err
	}
	m := &Member{
		door: door, storing: storing, group: g, config: g.options.config(),
		done:      make(chan struct{}),
		available: make(chan struct{}, 1), settle: make(chan struct{}, 1), look: make(chan struct{}, 1),
		id: uuid.New(), observed: make(map[uuid.UUID]observation), leases: make(map[int]*lease),
	}
	// Registering comes first: what a feed does not find in the log yet is then
	// sure to wake it.
	if m.events, err = door.Follow(); err != nil {
		leave()
		return nil, err
	}
	m.ctx, m.stop = context.WithCancelCause(storing)
	bell, err := m.beat(ctx)
	if err != nil {
		m.stop(err)
		m.feeds.Wait()
		m.events.Close()
		defer leave()
		// The heartbeat may have got through all the same; then others need not
		// wait for the next one.
		if engine.MaybeCommitted(err) {
			short, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceToLeave)
			defer cancel()
			_ = m.leave(short)
		}
		return nil, err
	}
	go func() {
		defer leave()
		m.run(bell)
	}()
	return m, nil
}

// run keeps the membership until ctx ends, and waits for all that it started.
func (m *Member) run(bell engine.Watch) {
	defer close(m.done)
	// Settlements under way shall not be cut off when ctx ends, only if the engine
	// does not answer.
	work, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	var listening, settling sync.WaitGroup
	listening.Go(m.listen)
	settling.Go(func() { m.settler(work) })
	defer context.AfterFunc(m.ctx, func() {
		deadline := time.AfterFunc(patience, giveUp)
		context.AfterFunc(work, func() { deadline.Stop() })
	})()
	m.keep(work, bell)
	m.feeds.Wait()
	listening.Wait()
	m.events.Close()
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	signal(m.settle)
	settling.Wait()
	m.left = m.leave(work)
}

// ID is what GroupInfo calls the member. It changes when the member had to join
// again.
func (m *Member) ID() uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id
}

// Close ends the membership. Nothing more is delivered, settlements under way are
// finished, and the leases are given up, so that others take over at once and
// deliver what was not settled. It gives up after five seconds, with an error; the
// others then wait for the group's LeaseTime. A second Close waits for the first.
func (m *Member) Close() error {
	m.stop(errMemberClosed)
	<-m.done
	if m.left != nil {
		return fmt.Errorf("leaving consumer group %q: %w", m.group.name, m.left)
	}
	return nil
}

// Messages yields the messages of the partitions that the member holds: those of
// one stream in order, each after the one before was settled. Several goroutines
// may each range over Messages, and share them. A message counts as being worked
// on from when it is yielded; leaving the loop does not settle it.
//
// It ends when the consumer stops, when the member is closed, or with one error:
// ctx's, ErrGroupDeleted, ErrClosed, or that of a read that failed for good.
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
			signal(m.available) // it may have been meant for another consumer
			return nil, err
		}
		if m.ctx.Err() != nil {
			return nil, m.ended()
		}
		if msg := m.take(); msg != nil {
			return msg, nil
		}
		select {
		case <-m.available:
		case <-ctx.Done():
		case <-m.ctx.Done():
		}
	}
}

// ended is why the member has.
func (m *Member) ended() error {
	if m.storing.Err() != nil {
		return fdbevents.ErrClosed
	}
	return context.Cause(m.ctx)
}

// take delivers a message that is ready, if there is one.
func (m *Member) take() *Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A member that could not write its heartbeat may have lost its leases, and
	// would deliver what others deliver, too.
	if m.paused || time.Since(m.beatAt) >= m.config.LeaseTime {
		return nil
	}
	n := m.door.Partitions()
	for range n {
		l := m.leases[m.turn]
		m.turn = (m.turn + 1) % n
		if l == nil || l.draining || len(l.ready) == 0 {
			continue
		}
		d := l.ready[0]
		l.ready = l.ready[1:]
		l.out++
		d.message = &Message{
			Event: *d.event, Attempt: d.failed + 1, Replayed: d.replayed,
			Partition: l.partition, Epoch: l.epoch, delivery: d,
		}
		m.setTimer(d, time.Now().Add(m.config.MessageTimeout))
		signal(m.available) // there may be more, for others
		return d.message
	}
	return nil
}

// listen wakes the feeds of partitions that get events.
func (m *Member) listen() {
	for {
		events, missed, err := m.events.Next(m.ctx)
		switch {
		case err != nil:
			return
		case missed:
			m.wakeAll()
		default:
			m.wake(events)
		}
	}
}

func (m *Member) wake(events []*fdbevents.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ev := range events {
		if l := m.leases[m.door.PartitionOf(ev.Stream)]; l != nil {
			l.news = true
			signal(l.wake)
		}
	}
}

func (m *Member) wakeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases {
		l.news = true
		signal(l.wake)
	}
}

// keep writes heartbeats, and looks at the group whenever its bell rings, until
// the member's context ends. A heartbeat under way then is finished: one that was
// given up could take a partition after the member has left.
func (m *Member) keep(work context.Context, bell engine.Watch) {
	beats := time.NewTicker(m.config.LeaseTime / 4)
	defer beats.Stop()
	for {
		m.wait(bell, beats.C)
		if m.ctx.Err() != nil {
			return
		}
		var err error
		bell, err = m.beat(work)
		switch {
		case err == nil:
			m.flush()
		case m.ctx.Err() != nil:
			return
		case m.fatal(err):
			m.stop(err)
			return
		}
		if err != nil {
			// The next heartbeat may get through. Without one, delivery ends by itself.
			m.door.Trouble("heartbeat of a member of consumer group "+m.group.name, err)
		}
	}
}

// wait waits for the bell, which may be nil, the next heartbeat, or a signal.
func (m *Member) wait(bell engine.Watch, beats <-chan time.Time) {
	ctx, cancel := context.WithCancel(m.ctx)
	var waiting sync.WaitGroup
	rung := make(chan struct{})
	if bell != nil {
		waiting.Go(func() {
			// Where watches fail, the next one may at once, too.
			if err := bell.Wait(ctx); err != nil {
				if ctx.Err() == nil {
					m.door.Trouble("watching consumer group "+m.group.name, err)
				}
				select {
				case <-time.After(pauseAfterFailure):
				case <-ctx.Done():
				}
			}
			close(rung)
		})
	}
	select {
	case <-rung:
	case <-beats:
	case <-m.look:
	case <-m.ctx.Done():
	}
	cancel()
	waiting.Wait()
	if bell != nil {
		bell.Cancel()
	}
}

// fatal reports whether trying again cannot help.
func (m *Member) fatal(err error) bool {
	for _, end := range []error{fdbevents.ErrGroupDeleted, fdbevents.ErrCorrupt, fdbevents.ErrFormat, fdbevents.ErrClosed, engine.ErrClosed} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// leave removes the member's key. Its leases have been given up, or are free
// because their owner is no member.
func (m *Member) leave(ctx context.Context) error {
	k, name := m.group.keys, m.group.name
	// After an error the key is left to those who find that it does not move.
	err := m.door.Update(ctx, func(tr engine.Transaction, _ error) error {
		// Of a deleted group, nothing may be left.
		if _, err := m.group.config(tr); err != nil {
			return err
		}
		tr.Clear(k.GroupMember(name, m.id))
		m.group.ring(tr)
		return nil
	})
	if errors.Is(err, fdbevents.ErrGroupDeleted) {
		err = nil
	}
	return err
}

// signal leaves a signal unless there is one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
