package groups

import (
	"context"
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// Group is a consumer group: a subscription that members in any number of processes
// share. The package documentation says how.
//
// A Group is a name and settings. It holds no resources, needs no Close, and its
// methods may be called from any number of goroutines.
type Group struct {
	door fdblayer.Door
	keys layout.Keys
	name string
	// incarnation tells this group from others that had or will have the name.
	incarnation uuid.UUID
	// options have their defaults filled in.
	options Options
}

// Open opens a consumer group, and creates it if it does not exist. The settings of
// a group are fixed when it is created; see Options.
//
// Errors: *InvalidError when o contradicts the group's settings, or has a value that
// makes no sense; *LimitError.
func Open(ctx context.Context, s *fdblayer.Store, name string, o Options) (*Group, error) {
	g, err := openGroup(ctx, s.Door(), name, &o)
	if err != nil {
		return nil, fmt.Errorf("consumer group %q: %w", name, err)
	}
	return g, nil
}

// Lookup opens a consumer group that exists. Otherwise it returns ErrGroupNotFound.
func Lookup(ctx context.Context, s *fdblayer.Store, name string) (*Group, error) {
	g, err := openGroup(ctx, s.Door(), name, nil)
	switch {
	case fdbevents.KindOf(err) == fdbevents.NotFound: // the error names the group
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("consumer group %q: %w", name, err)
	}
	return g, nil
}

// openGroup creates a group that does not exist, unless create is nil.
func openGroup(ctx context.Context, d fdblayer.Door, name string, create *Options) (*Group, error) {
	if err := fdbevents.ValidateName("group name", name, fdbevents.MaxGroupName); err != nil {
		return nil, err
	}
	var wanted layout.GroupConfig
	if create != nil {
		if err := create.check(); err != nil {
			return nil, err
		}
		wanted = create.config()
		if size := len(layout.AppendGroupConfig(nil, wanted)); size > layout.ChunkSize {
			return nil, &fdbevents.LimitError{What: "group settings", Got: int64(size), Limit: layout.ChunkSize, Unit: "bytes"}
		}
	}
	g := &Group{door: d, keys: d.Keys(), name: name}
	err := d.Update(ctx, func(tr engine.Transaction, _ error) error {
		value, err := tr.Get(g.keys.GroupConfig(name)).Get()
		if err != nil {
			return err
		}
		if value == nil && create == nil {
			return &fdbevents.NotFoundError{What: "consumer group", Name: name}
		}
		config := wanted
		if value == nil {
			err = g.create(tr, config)
		} else if config, err = layout.DecodeGroupConfig(value); err == nil && create != nil {
			err = create.agrees(config)
		}
		g.incarnation, g.options = config.Incarnation, optionsOf(config)
		return err
	})
	return g, err
}

// create writes a new group. Every partition has a lease and a progress from the
// beginning, so that a missing one means that the group was deleted.
func (g *Group) create(tr engine.Transaction, c layout.GroupConfig) error {
	begin, err := g.door.CheckPosition(tr, c.From)
	if err != nil {
		return err
	}
	k := g.keys
	tr.Set(k.GroupConfig(g.name), layout.AppendGroupConfig(nil, c))
	for p := range g.door.Partitions() {
		tr.Set(k.GroupLease(g.name, p), layout.AppendGroupLease(nil, layout.GroupLease{}))
		tr.Set(k.GroupProgress(g.name, p), layout.AppendGroupProgress(nil, layout.GroupProgress{Checkpoint: begin}))
	}
	return nil
}

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Options returns the settings that the group was created with, defaults filled in.
// The caller must not modify the slices of the query.
func (g *Group) Options() Options { return g.options }

// Pause makes members stop delivering messages, within a moment. Messages that were
// delivered can still be settled.
func (g *Group) Pause(ctx context.Context) error { return g.setPaused(ctx, "pausing", true) }

// Resume ends a pause.
func (g *Group) Resume(ctx context.Context) error { return g.setPaused(ctx, "resuming", false) }

func (g *Group) setPaused(ctx context.Context, what string, paused bool) error {
	return g.change(ctx, what, func(tr engine.Transaction, c layout.GroupConfig) error {
		c.Paused = paused
		tr.Set(g.keys.GroupConfig(g.name), layout.AppendGroupConfig(nil, c))
		g.ring(tr)
		return nil
	})
}

// Reset makes the group continue after a position, whatever it has settled so far:
// after Start it delivers everything again, after End only events that are appended
// from now on. Members lose their leases and take new ones; messages delivered before
// can no longer be settled. Parked messages stay parked.
//
// Errors: *InvalidError for a position of another store, ErrGroupDeleted.
func (g *Group) Reset(ctx context.Context, after fdbevents.Position) error {
	return g.change(ctx, "resetting", func(tr engine.Transaction, _ layout.GroupConfig) error {
		k := g.keys
		begin, err := g.door.CheckPosition(tr, after)
		if err != nil {
			return err
		}
		// Settling only reads a lease, so only members that take a lease or give one up
		// can make Reset conflict.
		leases, err := g.readLeases(tr)
		if err != nil {
			return err
		}
		for p, lease := range leases {
			tr.Set(k.GroupLease(g.name, p), layout.AppendGroupLease(nil, layout.GroupLease{Epoch: lease.Epoch + 1}))
			tr.Set(k.GroupProgress(g.name, p), layout.AppendGroupProgress(nil, layout.GroupProgress{Checkpoint: begin}))
		}
		g.ring(tr)
		return nil
	})
}

// Delete removes the group with all its state, parked messages included. The events
// stay. Members end with ErrGroupDeleted.
func (g *Group) Delete(ctx context.Context) error {
	begun := false
	err := g.change(ctx, "deleting", func(tr engine.Transaction, _ layout.GroupConfig) error {
		begun = true
		tr.ClearRange(g.keys.Group(g.name))
		return nil
	})
	if begun && errors.Is(err, fdbevents.ErrGroupDeleted) {
		return nil // deleted by an earlier attempt whose outcome was unknown, or by another caller
	}
	return err
}

// change runs fn in a transaction that reads the group's settings. what starts the
// text of an error, for example "pausing".
func (g *Group) change(ctx context.Context, what string, fn func(tr engine.Transaction, c layout.GroupConfig) error) error {
	return g.named(what, g.door.Update(ctx, func(tr engine.Transaction, _ error) error {
		c, err := g.config(tr)
		if err != nil {
			return err
		}
		return fn(tr, c)
	}))
}

// read runs fn with a reader and the group's settings. what is as in change.
func (g *Group) read(ctx context.Context, what string, fn func(r fdblayer.Reader, c layout.GroupConfig) error) error {
	return g.named(what, g.door.View(ctx, func(r fdblayer.Reader) error {
		c, err := g.config(r)
		if err != nil {
			return err
		}
		return fn(r, c)
	}))
}

// named adds to an error what was being done, and to which group.
func (g *Group) named(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s consumer group %q: %w", what, g.name, err)
	}
	return nil
}

// config reads the group's settings. It returns ErrGroupDeleted when the name now
// belongs to a later group.
func (g *Group) config(r engine.Reader) (c layout.GroupConfig, err error) {
	value, err := r.Get(g.keys.GroupConfig(g.name)).Get()
	if err != nil {
		return c, err
	}
	if value == nil {
		return c, fdbevents.ErrGroupDeleted
	}
	if c, err = layout.DecodeGroupConfig(value); err == nil && c.Incarnation != g.incarnation {
		err = fdbevents.ErrGroupDeleted
	}
	return c, err
}

// readLeases reads the leases of all partitions, in order.
func (g *Group) readLeases(r engine.Reader) ([]layout.GroupLease, error) {
	k := g.keys
	page, err := r.GetRange(k.GroupLeases(g.name), engine.RangeOptions{}).Get()
	if err != nil {
		return nil, err
	}
	leases := make([]layout.GroupLease, len(page.KeyValues))
	for i, kv := range page.KeyValues {
		if leases[i], err = layout.DecodeGroupLease(kv.Value); err != nil {
			return nil, fmt.Errorf("lease of partition %d: %w", i, err)
		}
	}
	if n := g.door.Partitions(); len(leases) != n {
		return nil, fmt.Errorf("%w: %d leases for %d partitions", fdbevents.ErrCorrupt, len(leases), n)
	}
	return leases, nil
}

// ring makes every member write a heartbeat at once, and so look at the group. An
// addition cannot conflict.
func (g *Group) ring(tr engine.Transaction) {
	tr.Atomic(engine.OpAdd, g.keys.GroupBell(g.name), layout.AppendCounter(nil, 1))
}
