package storetest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Gag is the engine of one process among several that share a database. It can silence the
// process, as if the process had been stopped or had ended.
type Gag struct {
	engine.Engine
	silent, dead atomic.Bool
}

// NewGag wraps an engine. It holds nothing back at first.
func NewGag(e engine.Engine) *Gag { return &Gag{Engine: e} }

// Silence blocks the heartbeats and the farewells of consumer group members. Members may
// still settle the messages they hold, if the store lets them.
func (g *Gag) Silence() { g.silent.Store(true) }

// Speak ends Silence.
func (g *Gag) Speak() { g.silent.Store(false) }

// Die blocks every commit from now on: the process cannot give up what it holds.
func (g *Gag) Die() { g.dead.Store(true) }

// Begin implements engine.Engine.
func (g *Gag) Begin(ctx context.Context) engine.Transaction {
	return &gaggedTransaction{Transaction: g.Engine.Begin(ctx), gag: g}
}

var errGagged = errors.New("the process is gagged")

type gaggedTransaction struct {
	engine.Transaction
	gag *Gag
	// alive is true if the transaction says that a member is alive, or leaves.
	alive bool
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
	if g, err := k.ParseGroup(key); err == nil && k.Groups("").Contains(key) && g.Kind == layout.GroupMemberKind {
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
