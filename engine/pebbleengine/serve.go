package pebbleengine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// server offers a store to the other engines on its directory.
type server struct {
	store    *store
	listener *net.UnixListener
	socket   string
	closing  atomic.Bool
	// running counts the accepting goroutine and one goroutine for each session.
	running sync.WaitGroup

	mu       sync.Mutex
	sessions map[*session]struct{}
	shut     bool // no new session may begin
}

// serve listens on the socket of dir. The caller has the lock, so an existing
// socket is stale.
func serve(dir string, s *store) (*server, error) {
	const fresh = socketName + ".new"
	if err := os.Remove(filepath.Join(dir, fresh)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	path, done, err := socketPath(dir, fresh)
	if err != nil {
		return nil, err
	}
	defer done()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	served := &server{
		store: s, listener: listener, socket: filepath.Join(dir, socketName),
		sessions: make(map[*session]struct{}),
	}
	// The socket gets its name only once nobody but its owner can connect.
	if err := errors.Join(os.Chmod(path, 0o600), os.Rename(filepath.Join(dir, fresh), served.socket)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	served.running.Go(served.accept)
	return served, nil
}

func (s *server) accept() {
	for {
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Most likely we are out of file descriptors. Clients try again.
			time.Sleep(lastLook)
			continue
		}
		s.begin(conn)
	}
}

// begin starts a session.
func (s *server) begin(conn *net.UnixConn) {
	x := &session{server: s, store: s.store, conn: conn, views: make(map[uint64]*leased), watches: make(map[uint64]*watch),
		ended: make(chan struct{}, 1), quit: make(chan struct{}), over: make(chan struct{})}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	calls := rpc.NewServer()
	if err := calls.RegisterName(serviceName, x); err != nil {
		panic(err) // a mistake in session's methods
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		_ = conn.Close()
		return
	}
	s.sessions[x] = struct{}{}
	s.running.Go(func() {
		calls.ServeConn(x) // returns when the connection has ended and all calls are answered
		x.cleanUp()
		s.mu.Lock()
		delete(s.sessions, x)
		s.mu.Unlock()
		close(x.over)
	})
}

// farewell bounds the time that a client may take to read its last answers.
const farewell = 2 * time.Second

// close lets calls under way finish and ends all sessions.
func (s *server) close() error {
	err := errors.Join(os.Remove(s.socket), s.listener.Close())
	s.mu.Lock()
	s.shut = true
	for x := range s.sessions {
		close(x.quit)
		_ = x.conn.SetWriteDeadline(time.Now().Add(farewell))
		_ = x.conn.CloseRead()
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

// serviceName is the net/rpc name of the calls.
const serviceName = "Engine"

// session is one connection. Its exported methods are the calls; each call runs
// in its own goroutine.
type session struct {
	server *server
	store  *store
	conn   *net.UnixConn
	// ctx ends when the client is gone. It does not end when the server closes.
	ctx    context.Context
	cancel context.CancelFunc
	// quit is closed when the server closes, over when the session has ended.
	quit, over chan struct{}

	mu       sync.Mutex
	client   clientID
	views    map[uint64]*leased
	lastView uint64
	watches  map[uint64]*watch // armed, by the client's number
	news     endedReply        // watches that have ended, to be fetched
	ended    chan struct{}     // has a token when there is news
}

// leased is a view that a client holds, for no longer than the client could use
// it.
type leased struct {
	view
	expiry *time.Timer
}

// Read implements io.Reader for net/rpc.
func (x *session) Read(p []byte) (int, error) {
	n, err := x.conn.Read(p)
	if err != nil {
		select {
		case <-x.quit:
		default:
			x.cancel()
		}
	}
	return n, err
}

// Write implements io.Writer for net/rpc. A client that cannot be answered is
// gone.
func (x *session) Write(p []byte) (int, error) {
	n, err := x.conn.Write(p)
	if err != nil {
		_ = x.conn.Close()
	}
	return n, err
}

// Close implements io.Closer for net/rpc.
func (x *session) Close() error { return x.conn.Close() }

// cleanUp releases what the client held.
func (x *session) cleanUp() {
	x.cancel()
	x.mu.Lock()
	views, watches := x.views, x.watches
	x.views, x.watches = nil, nil
	x.mu.Unlock()
	for _, l := range views {
		if l.expiry.Stop() {
			l.release()
		}
	}
	for _, w := range watches {
		w.end(engine.ErrCancelled)
	}
}

// Hello is the first call. It is answered only when no call of an earlier session
// of the same client is under way any more.
func (x *session) Hello(a *helloArgs, r *helloReply) error {
	r.Protocol = protocol
	if a.Protocol != protocol {
		return nil
	}
	x.mu.Lock()
	x.client = a.Client
	x.mu.Unlock()
	x.server.mu.Lock()
	var earlier []*session
	for other := range x.server.sessions {
		if other != x && other.is(a.Client) {
			earlier = append(earlier, other)
		}
	}
	x.server.mu.Unlock()
	for _, other := range earlier {
		_ = other.conn.Close()
		select {
		case <-other.over:
		case <-x.ctx.Done():
		case <-x.quit:
		}
	}
	return nil
}

func (x *session) is(client clientID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.client == client
}

// Acquire leases a view.
func (x *session) Acquire(_ *nothing, r *acquireReply) error {
	v, err := x.store.acquire(x.ctx)
	if err != nil {
		r.Failure = makeFailure(err)
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.views == nil {
		v.release()
		return nil
	}
	x.lastView++
	id := x.lastView
	l := &leased{view: v}
	l.expiry = time.AfterFunc(engine.MaxTransactionAge+time.Second, func() {
		x.mu.Lock()
		delete(x.views, id)
		x.mu.Unlock()
		v.release()
	})
	x.views[id] = l
	r.View, r.Version = id, v.version()
	return nil
}

// Release gives a view back.
func (x *session) Release(id *uint64, _ *nothing) error {
	x.mu.Lock()
	l := x.views[*id]
	delete(x.views, *id)
	x.mu.Unlock()
	if l != nil && l.expiry.Stop() {
		l.release()
	}
	return nil
}

func (x *session) view(id uint64) (view, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if l := x.views[id]; l != nil {
		return l.view, nil
	}
	return nil, fmt.Errorf("view has expired: %w", engine.ErrTooOld)
}

// Get reads a key.
func (x *session) Get(a *getArgs, r *getReply) error {
	v, err := x.view(a.View)
	if err == nil {
		r.Value, err = v.get(a.Key).Get()
		r.Present = r.Value != nil
	}
	r.Failure = makeFailure(err)
	return nil
}

// Scan reads a range.
func (x *session) Scan(a *scanArgs, r *scanReply) error {
	v, err := x.view(a.View)
	if err == nil {
		var page engine.Page
		page, err = v.scan(a.Range, a.Options).Get()
		r.More = page.More
		r.Keys, r.Values = make([][]byte, len(page.KeyValues)), make([][]byte, len(page.KeyValues))
		for i, kv := range page.KeyValues {
			r.Keys[i], r.Values[i] = kv.Key, kv.Value
		}
	}
	r.Failure = makeFailure(err)
	return nil
}

// Commit commits. When it fails, so do its watches, without further news.
func (x *session) Commit(a *commitArgs, r *commitReply) error {
	c, err := unpackCommit(a)
	if err != nil {
		r.Failure = makeFailure(err)
		return nil
	}
	for i, w := range c.watches {
		x.follow(a.Watches[i], w)
	}
	// The commit is carried through even if the client is gone: the end of the
	// session promises that nothing of it is in flight.
	result, err := x.store.commit(context.Background(), c)
	if err != nil {
		for _, w := range c.watches {
			w.end(err)
		}
	}
	r.Version, r.Index, r.Failure = result.version, result.index, makeFailure(err)
	return nil
}

// follow reports the end of a watch to the client.
func (x *session) follow(id uint64, w *watch) {
	x.mu.Lock()
	if x.watches != nil {
		x.watches[id] = w
	}
	x.mu.Unlock()
	w.onEnd(func() {
		x.mu.Lock()
		delete(x.watches, id)
		x.news.Watches = append(x.news.Watches, id)
		x.news.Failures = append(x.news.Failures, makeFailure(w.err))
		x.mu.Unlock()
		select {
		case x.ended <- struct{}{}:
		default:
		}
	})
}

// Disarm ends a watch that the client no longer wants.
func (x *session) Disarm(id *uint64, _ *nothing) error {
	x.mu.Lock()
	w := x.watches[*id]
	x.mu.Unlock()
	if w != nil {
		w.end(engine.ErrCancelled)
	}
	return nil
}

// Ended waits for watches to end. The client calls it over and over.
func (x *session) Ended(_ *nothing, r *endedReply) error {
	select {
	case <-x.ended:
	case <-x.quit:
	case <-x.ctx.Done():
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	*r, x.news = x.news, endedReply{}
	return nil
}
