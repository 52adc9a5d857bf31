package groups_test

import (
	"context"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// process is a member with a store of its own, on an engine that can keep it from
// being heard: one process of several.
type process struct {
	*groups.Member
	gag   *storetest.Gag
	store *fdblayer.Store
}

// joinAs joins a group from a process of its own, until the test ends.
func joinAs(t testing.TB, e engine.Engine, name string, o groups.Options) *process {
	t.Helper()
	p, err := startProcess(t.Context(), e, name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		p.store.Close()
	})
	return p
}

func startProcess(ctx context.Context, e engine.Engine, name string, o groups.Options) (*process, error) {
	p := &process{gag: storetest.NewGag(e)}
	var err error
	if p.store, err = fdblayer.Open(ctx, p.gag, fdblayer.Options{}); err != nil {
		return nil, err
	}
	g, err := groups.Open(ctx, p.store, name, o)
	if err == nil {
		p.Member, err = g.Join(ctx)
	}
	if err != nil {
		p.store.Close()
		return nil, err
	}
	return p, nil
}

// crash ends the process without giving anything up: the others wait a LeaseTime.
func (p *process) crash() {
	p.gag.Die()
	p.Close()
	p.store.Close()
}
