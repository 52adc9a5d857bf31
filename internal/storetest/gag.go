package storetest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Gag is the engine of one process among several that share a database. It keeps the
// process from being heard, as if that had stopped or ended.
type Gag struct {
	engine.Engine
	silent, dead atomic.Bool
}

// NewGag wraps an engine. Nothing is kept back at first.
func NewGag(e engine.Engine) *Gag { return &Gag{Engine: e} }

// Silence lets no heartbeat of a consumer group's member through, not even one that
// would find out that others took over, and no farewell. A member can still settle the
// messages it was handed, if the store allows it.
func (g *Gag) Silence() { g.silent.Store(true) }

// Speak ends Silence.
func (g *Gag) Speak() { g.silent.Store(false) }

// Die lets nothing through any more: what the process holds it does not give up.
func (g *Gag) Die() { g.dead.Store(true) }

// Begin implements engine.Engine.
func (g *Gag) Begin(ctx context.Context) engine.Transaction {
	return &gaggedTransaction{Transaction: g.Engine.Begin(ctx), gag: g}
}

var errGagged = errors.New("the process is not heard")

type gaggedTransaction struct {
	engine.Transaction
	gag *Gag
	// alive is true when the transaction is a heartbeat: it reads the member's own key,
	// and says that it lives. It is also true when the member leaves.
	alive bool
}

func (t *gaggedTransaction) Get(key []byte) engine.Future[[]byte] {
	t.note(key)
	return t.Transaction.Get(key)
}

func (t *gaggedTransaction) Set(key, value []byte) {
	t.note(key)
	t.Transaction.Set(key, value)
}

func (t *gaggedTransaction) Clear(key []byte) {
	t.note(key)
	t.Transaction.Clear(key)
}

func (t *gaggedTransaction) note(key []byte) {
	k := layout.Keys{Prefix: t.gag.Prefix()}
	if !k.Groups("").Contains(key) {
		return
	}
	if g, err := k.ParseGroup(key); err == nil && g.Kind == layout.GroupMemberKind {
		t.alive = true
	}
}

func (t *gaggedTransaction) Commit() error {
	if t.gag.dead.Load() || t.alive && t.gag.silent.Load() {
		return errGagged
	}
	return t.Transaction.Commit()
}

func (t *gaggedTransaction) OnError(err error) error {
	t.alive = false
	return t.Transaction.OnError(err)
}
