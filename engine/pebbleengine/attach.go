package pebbleengine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// link is the backend of an engine that is attached to the holder of its
// directory.
type link struct {
	calls *rpc.Client
	// state is one of the constants; it leaves linkAlive only once.
	state atomic.Int32
	// committing counts the commits under way; close shuts it.
	committing gate
	// fetching is the goroutine that fetches the ends of watches.
	fetching sync.WaitGroup
	// closing makes close do its work once. A lost link is closed when another
	// backend is looked for, and again if none was found.
	closing sync.Once

	mu        sync.Mutex
	watches   map[uint64]*watch // armed, or to be armed by a commit under way
	lastWatch uint64
}

const (
	linkAlive  int32 = iota
	linkCut          // the connection has ended
	linkClosed       // by close
)

// attach connects to the holder of dir.
func attach(ctx context.Context, dir string, client clientID) (*link, error) {
	path, done, err := socketPath(dir, socketName)
	if err != nil {
		return nil, err
	}
	defer done()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	l := &link{
		calls:      rpc.NewClient(conn),
		committing: gate{drained: make(chan struct{}, 1)},
		watches:    make(map[uint64]*watch),
	}
	var hello helloReply
	err = l.call(ctx, "Hello", &helloArgs{Protocol: protocol, Client: client}, &hello)
	if err == nil && hello.Protocol != protocol {
		err = fmt.Errorf("it speaks protocol %d, this process speaks %d: %w", hello.Protocol, protocol, errProtocol)
	}
	if err != nil {
		_ = l.calls.Close()
		return nil, err
	}
	l.fetching.Go(l.fetch)
	return l, nil
}

// start sends a call.
func (l *link) start(method string, args, reply any) *rpc.Call {
	return l.calls.Go(serviceName+"."+method, args, reply, make(chan *rpc.Call, 1))
}

// call sends a call and waits. It returns errLost only for a call that was not
// sent, and errCut for a call whose outcome nobody knows.
func (l *link) call(ctx context.Context, method string, args, reply any) error {
	call := l.start(method, args, reply)
	select {
	case <-call.Done:
		return l.verdict(call.Error)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// errCut is the error of a call during which the connection ended.
var errCut = errors.New("connection to the process that holds the directory was cut")

// verdict interprets the error of a call, and records what it says about the
// connection.
func (l *link) verdict(err error) error {
	var answered rpc.ServerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answered):
		return err
	}
	l.state.CompareAndSwap(linkAlive, linkCut)
	if errors.Is(err, rpc.ErrShutdown) {
		return errLost
	}
	return fmt.Errorf("%w: %w", errCut, err)
}

// acquire implements backend.
func (l *link) acquire(ctx context.Context) (view, error) {
	var r acquireReply
	err := l.call(ctx, "Acquire", &nothing{}, &r)
	if err == nil {
		err = r.Failure.err()
	}
	switch {
	case err == nil:
	case l.state.Load() == linkClosed:
		return nil, engine.ErrClosed
	case errors.Is(err, errCut), errors.Is(err, errLost):
		l.state.CompareAndSwap(linkAlive, linkCut)
		return nil, errLost // nothing has happened, so another backend will do
	default:
		return nil, err
	}
	return &linkView{link: l, ctx: ctx, id: r.View, at: r.Version}, nil
}

// commit implements backend.
func (l *link) commit(ctx context.Context, c *commit) (outcome, error) {
	if !l.committing.enter() {
		if l.lost() {
			return outcome{}, errLost
		}
		return outcome{}, engine.ErrClosed
	}
	defer l.committing.leave()
	ids := make(map[*watch]uint64, len(c.watches))
	args := packCommit(c, func(w *watch) uint64 {
		ids[w] = l.follow(w)
		return ids[w]
	})
	var r commitReply
	err := l.call(ctx, "Commit", args, &r)
	if err == nil {
		err = r.Failure.err()
	}
	switch {
	case err == nil:
		for w, id := range ids {
			w.onEnd(func() { l.unfollow(id) })
		}
		return outcome{version: r.Version, index: r.Index}, nil
	case errors.Is(err, errLost):
		l.state.CompareAndSwap(linkAlive, linkCut)
	case errors.Is(err, errCut):
		err = fmt.Errorf("%w: %w", err, engine.ErrCommitUnknown)
	}
	for _, id := range ids {
		l.forget(id)
	}
	return outcome{}, err
}

// follow gives a watch a number.
func (l *link) follow(w *watch) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastWatch++
	l.watches[l.lastWatch] = w
	return l.lastWatch
}

// forget drops a watch that the holder has ended, or will not report.
func (l *link) forget(id uint64) (w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w = l.watches[id]
	delete(l.watches, id)
	return w
}

// unfollow is called when a watch has ended. It tells the holder, unless the
// holder reported the end.
func (l *link) unfollow(id uint64) {
	if l.forget(id) != nil {
		l.start("Disarm", &id, &nothing{})
	}
}

// fetch passes on the ends of watches until the connection ends.
func (l *link) fetch() {
	for {
		var r endedReply
		if err := l.call(context.Background(), "Ended", &nothing{}, &r); err != nil {
			l.endWatches()
			return
		}
		for i, id := range r.Watches {
			if w := l.forget(id); w != nil {
				w.end(r.Failures[i].err())
			}
		}
	}
}

// endWatches ends all watches when the connection has ended.
func (l *link) endWatches() {
	l.mu.Lock()
	watches := l.watches
	l.watches = make(map[uint64]*watch)
	l.mu.Unlock()
	err := error(engine.ErrClosed)
	if l.lost() {
		err = lostView(errCut)
	}
	for _, w := range watches {
		w.end(err)
	}
}

// lostView turns the loss of the holder into an error that a new attempt can
// cure.
func lostView(err error) error { return fmt.Errorf("%w: %w", err, engine.ErrTooOld) }

// lost implements backend.
func (l *link) lost() bool { return l.state.Load() == linkCut }

// close implements backend.
func (l *link) close() error {
	l.closing.Do(func() {
		l.state.CompareAndSwap(linkAlive, linkClosed)
		l.committing.shut()
		_ = l.calls.Close()
		l.fetching.Wait()
	})
	return nil
}

// linkView is a view that the holder keeps.
type linkView struct {
	link *link
	ctx  context.Context
	id   uint64
	at   int64
	// released turns reads that come too late into cancelled ones.
	released atomic.Bool
}

func (v *linkView) version() int64 { return v.at }

func (v *linkView) release() {
	v.released.Store(true)
	v.link.start("Release", &v.id, &nothing{})
}

func (v *linkView) get(key []byte) engine.Future[[]byte] {
	r := new(getReply)
	return &answer[[]byte]{
		view: v, call: v.link.start("Get", &getArgs{View: v.id, Key: key}, r),
		result: func() ([]byte, error) {
			if r.Present && r.Value == nil {
				r.Value = []byte{}
			}
			return r.Value, r.Failure.err()
		},
	}
}

func (v *linkView) scan(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	reply := new(scanReply)
	return &answer[engine.Page]{
		view: v, call: v.link.start("Scan", &scanArgs{View: v.id, Range: r, Options: o}, reply),
		result: func() (engine.Page, error) {
			if err := reply.Failure.err(); err != nil {
				return engine.Page{}, err
			}
			page := engine.Page{More: reply.More, KeyValues: make([]engine.KeyValue, len(reply.Keys))}
			for i := range page.KeyValues {
				page.KeyValues[i] = engine.KeyValue{Key: orEmpty(reply.Keys[i]), Value: orEmpty(reply.Values[i])}
			}
			return page, nil
		},
	}
}

// orEmpty makes up for gob, which does not distinguish nil from empty.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// answer is a read that was sent to the holder.
type answer[T any] struct {
	view   *linkView
	call   *rpc.Call
	result func() (T, error) // called when the call is done

	once  sync.Once
	value T
	err   error
}

// Get implements engine.Future.
func (a *answer[T]) Get() (T, error) {
	a.once.Do(func() {
		select {
		case <-a.call.Done:
			if a.err = a.view.link.verdict(a.call.Error); a.err == nil {
				a.value, a.err = a.result()
			}
		case <-a.view.ctx.Done():
			a.err = fmt.Errorf("read: %w", a.view.ctx.Err())
		}
		switch {
		case a.err == nil:
		case a.view.released.Load():
			a.err = engine.ErrCancelled
		case errors.Is(a.err, errLost), errors.Is(a.err, errCut):
			if a.view.link.state.CompareAndSwap(linkAlive, linkCut); !a.view.link.lost() {
				a.err = engine.ErrClosed
			} else {
				a.err = lostView(a.err)
			}
		}
	})
	return a.value, a.err
}

// settle makes a commit wait for the read.
func (a *answer[T]) settle() error {
	_, err := a.Get()
	return err
}
