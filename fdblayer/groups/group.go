package groups

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// GroupOptions are for a consumer group that does not exist yet; for one that
// does they are only compared, as far as they are not zero. The zero value
// delivers every event.
type Options struct {
	// Filter selects events. A group takes at most one stream prefix, and a query.
	Filter fdbevents.Filter
	// From is the position after which a new group begins: Start, or End for
	// events that are appended later.
	From fdbevents.Position
	// MessageTimeout is how long a member may take to settle a message before it
	// is delivered again; 30 seconds when zero.
	MessageTimeout time.Duration
	// MaxRetries is how often a message is delivered again before it is parked: 10
	// when zero, never when negative.
	MaxRetries int
	// LeaseTime is how long a member may be silent before others take over; 10
	// seconds when zero. Members write a heartbeat four times in it.
	LeaseTime time.Duration
}

const (
	defaultMessageTimeout = 30 * time.Second
	defaultMaxRetries     = 10
	defaultLeaseTime      = 10 * time.Second
	// minGroupTime is the least MessageTimeout and LeaseTime.
	minGroupTime = 10 * time.Millisecond
)

// Group is a consumer group: a subscription that its members share, in any number
// of processes. Each partition of the log is leased to one member at a time, and
// all events of a stream are in one partition, so they are delivered in order.
// Each message is acknowledged, or refused with Nack, by whoever got it; what is
// not settled is delivered again.
//
// A Group is a name and settings. It holds nothing, and its methods may be
// called from any number of goroutines.
type Group struct {
	door        fdblayer.Door
	keys        layout.Keys
	name        string
	incarnation uuid.UUID
	options     Options
}

// OpenGroup opens a consumer group, and creates it if there is none. The settings of
// a group are fixed when it is created; see GroupOptions.
//
// Errors: *InvalidError when o contradicts the settings, or for a value that
// makes no sense; *LimitError.
func Open(ctx context.Context, s *fdblayer.Store, name string, o Options) (*Group, error) {
	g, err := openGroup(ctx, s.Door(), name, &o)
	if err != nil {
		return nil, fmt.Errorf("consumer group %q: %w", name, err)
	}
	return g, nil
}

// LookupGroup opens a consumer group that exists. It returns ErrGroupNotFound when
// there is none.
func Lookup(ctx context.Context, s *fdblayer.Store, name string) (*Group, error) {
	g, err := openGroup(ctx, s.Door(), name, nil)
	switch {
	case fdbevents.KindOf(err) == fdbevents.NotFound: // it names the group
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("consumer group %q: %w", name, err)
	}
	return g, nil
}

// openGroup creates the group if there is none, unless create is nil.
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

// create writes a new group. It has a lease and a progress for each
// partition from the beginning, so that a missing one means a deleted group.
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

func (o *Options) check() error {
	f := &o.Filter
	if err := f.Validate(); err != nil {
		return err
	}
	if f.Stream != "" || len(f.StreamPrefixes) > 1 || len(f.TypePrefixes) > 0 {
		return &fdbevents.InvalidError{What: "group filter", Value: fmt.Sprintf("%+v", *f), Reason: "a consumer group selects by one stream prefix and a query; leave the rest to its members"}
	}
	for _, d := range []struct {
		what  string
		value time.Duration
	}{{"message time-out", o.MessageTimeout}, {"lease time", o.LeaseTime}} {
		if d.value != 0 && d.value < minGroupTime {
			return &fdbevents.InvalidError{What: d.what, Value: d.value.String(), Reason: fmt.Sprintf("want 0 for the default, or at least %v", minGroupTime)}
		}
	}
	return nil
}

// config is a new group's, with defaults filled in.
func (o *Options) config() layout.GroupConfig {
	c := layout.GroupConfig{
		Incarnation: uuid.New(), Query: o.Filter.Query, From: o.From,
		MessageTimeout: o.MessageTimeout, MaxRetries: o.MaxRetries, LeaseTime: o.LeaseTime,
	}
	if len(o.Filter.StreamPrefixes) > 0 {
		c.Prefix = o.Filter.StreamPrefixes[0]
	}
	if c.MessageTimeout == 0 {
		c.MessageTimeout = defaultMessageTimeout
	}
	if c.LeaseTime == 0 {
		c.LeaseTime = defaultLeaseTime
	}
	switch {
	case c.MaxRetries == 0:
		c.MaxRetries = defaultMaxRetries
	case c.MaxRetries < 0:
		c.MaxRetries = 0
	}
	return c
}

// filterOf is the filter of a stored group.
func filterOf(c layout.GroupConfig) fdbevents.Filter {
	f := fdbevents.InStreams(c.Prefix)
	f.Query = c.Query
	return f
}

// optionsOf are those that Group would take to create the like.
func optionsOf(c layout.GroupConfig) Options {
	o := Options{Filter: filterOf(c), From: c.From,
		MessageTimeout: c.MessageTimeout, MaxRetries: c.MaxRetries, LeaseTime: c.LeaseTime,
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = -1
	}
	return o
}

// agrees refuses options that are given and are not those of the group.
func (o *Options) agrees(c layout.GroupConfig) error {
	want, have := o.config(), c
	for _, field := range []struct {
		what       string
		given      bool
		want, have any
	}{
		{"query", len(o.Filter.Query.Items) > 0, normal(want.Query), normal(have.Query)},
		{"stream prefix", len(o.Filter.StreamPrefixes) > 0, want.Prefix, have.Prefix},
		{"starting position", o.From != fdbevents.Start, want.From, have.From},
		{"message time-out", o.MessageTimeout != 0, want.MessageTimeout, have.MessageTimeout},
		{"retries", o.MaxRetries != 0, want.MaxRetries, have.MaxRetries},
		{"lease time", o.LeaseTime != 0, want.LeaseTime, have.LeaseTime},
	} {
		if field.given && !reflect.DeepEqual(field.want, field.have) {
			return &fdbevents.InvalidError{What: "group " + field.what, Value: fmt.Sprint(field.want), Reason: fmt.Sprintf(
				"the group was created with %q, which cannot change; leave it out, reset the group's position, or delete the group and create it anew", fmt.Sprint(field.have))}
		}
	}
	return nil
}

// normal is a query whose empty slices are all nil, as a decoded one's are.
func normal(q fdbevents.Query) (out fdbevents.Query) {
	for _, it := range q.Items {
		out.Items = append(out.Items, fdbevents.QueryItem{Types: append([]string(nil), it.Types...), Tags: append([]string(nil), it.Tags...)})
	}
	return out
}

// Name is the group's name.
func (g *Group) Name() string { return g.name }

// Options are the settings that the group was created with, defaults filled in.
// The slices of the query must not be modified.
func (g *Group) Options() Options { return g.options }

// Pause makes members stop delivering messages, a moment later. What they have
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

// Reset makes the group go on after a position, whatever it has settled so far:
// Start delivers everything again, End only what is appended from now on. Members
// lose their leases and take new ones; what they hold can no longer be settled.
// Parked messages stay parked.
//
// Errors: *InvalidError for a position of another store, ErrGroupDeleted.
func (g *Group) Reset(ctx context.Context, after fdbevents.Position) error {
	return g.change(ctx, "resetting", func(tr engine.Transaction, _ layout.GroupConfig) error {
		k := g.keys
		begin, err := g.door.CheckPosition(tr, after)
		if err != nil {
			return err
		}
		// Members that settle read the lease, so this is only ever in the way of
		// those that take one or give one up.
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

// Delete removes the group and all that it knew, parked messages included. The
// events stay. Members end with ErrGroupDeleted.
func (g *Group) Delete(ctx context.Context) error {
	begun := false
	err := g.change(ctx, "deleting", func(tr engine.Transaction, _ layout.GroupConfig) error {
		begun = true
		tr.ClearRange(g.keys.Group(g.name))
		return nil
	})
	if begun && errors.Is(err, fdbevents.ErrGroupDeleted) {
		return nil // by an attempt of which that was not known, or by somebody else
	}
	return err
}

// change runs fn in a transaction, with the group's settings.
func (g *Group) change(ctx context.Context, what string, fn func(tr engine.Transaction, c layout.GroupConfig) error) error {
	return g.named(what, g.door.Update(ctx, func(tr engine.Transaction, _ error) error {
		c, err := g.config(tr)
		if err != nil {
			return err
		}
		return fn(tr, c)
	}))
}

// look runs fn with a reader, and with the group's settings.
func (g *Group) look(ctx context.Context, what string, fn func(r fdblayer.Reader, c layout.GroupConfig) error) error {
	return g.named(what, g.door.View(ctx, func(r fdblayer.Reader) error {
		c, err := g.config(r)
		if err != nil {
			return err
		}
		return fn(r, c)
	}))
}

// named says in an error what was being done, and to which group.
func (g *Group) named(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s consumer group %q: %w", what, g.name, err)
	}
	return nil
}

// config reads the group's settings. They are those of this group, and not of a
// later one of the same name.
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

// readLeases reads who has which partition.
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

// ring makes the members look at the group at once. An addition cannot conflict.
func (g *Group) ring(tr engine.Transaction) {
	tr.Atomic(engine.OpAdd, g.keys.GroupBell(g.name), layout.AppendCounter(nil, 1))
}
