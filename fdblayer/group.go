package fdblayer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/google/uuid"
)

// GroupOptions are for a consumer group that does not exist yet; for one that
// does they are only compared, as far as they are not zero. The zero value
// delivers every event.
type GroupOptions struct {
	// Query and StreamPrefix select events, as for reads.
	Query        Query
	StreamPrefix string
	// From is the position after which a new group begins: Start, or End for
	// events that are appended later.
	From Position
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
	store       *Store
	name        string
	incarnation uuid.UUID
	options     GroupOptions
}

// Group opens a consumer group, and creates it if there is none. The settings of
// a group are fixed when it is created; see GroupOptions.
//
// Errors: *InvalidError when o contradicts the settings, or for a value that
// makes no sense; *LimitError.
func (s *Store) Group(ctx context.Context, name string, o GroupOptions) (*Group, error) {
	g, err := s.openGroup(ctx, name, &o)
	if err != nil {
		return nil, fmt.Errorf("consumer group %q: %w", name, err)
	}
	return g, nil
}

// OpenGroup opens a consumer group that exists. It returns ErrGroupNotFound when
// there is none.
func (s *Store) OpenGroup(ctx context.Context, name string) (*Group, error) {
	g, err := s.openGroup(ctx, name, nil)
	switch {
	case KindOf(err) == NotFound: // it names the group
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("consumer group %q: %w", name, err)
	}
	return g, nil
}

// openGroup creates the group if there is none, unless create is nil.
func (s *Store) openGroup(ctx context.Context, name string, create *GroupOptions) (*Group, error) {
	if err := ValidateName("group name", name, MaxGroupName); err != nil {
		return nil, err
	}
	var wanted groupConfig
	if create != nil {
		if err := create.check(); err != nil {
			return nil, err
		}
		wanted = create.config()
		if size := len(appendGroupConfig(nil, wanted)); size > chunkSize {
			return nil, &LimitError{What: "group settings", Got: int64(size), Limit: chunkSize, Unit: "bytes"}
		}
	}
	g := &Group{store: s, name: name}
	err := s.update(ctx, func(tr engine.Transaction, _ error) error {
		value, err := tr.Get(s.keys.groupConfig(name)).Get()
		if err != nil {
			return err
		}
		if value == nil && create == nil {
			return &NotFoundError{What: "consumer group", Name: name}
		}
		config := wanted
		if value == nil {
			err = s.createGroup(tr, name, config)
		} else if config, err = decodeGroupConfig(value); err == nil && create != nil {
			err = create.agrees(config)
		}
		g.incarnation, g.options = config.incarnation, config.options()
		return err
	})
	return g, err
}

// createGroup writes a new group. It has a lease and a progress for each
// partition from the beginning, so that a missing one means a deleted group.
func (s *Store) createGroup(tr engine.Transaction, name string, c groupConfig) error {
	if err := checkPosition(tr, c.from); err != nil {
		return err
	}
	begin, err := startingPoint(tr, c.from)
	if err != nil {
		return err
	}
	tr.Set(s.keys.groupConfig(name), appendGroupConfig(nil, c))
	for p := range s.header.partitions {
		tr.Set(s.keys.groupLease(name, p), appendGroupLease(nil, groupLease{}))
		tr.Set(s.keys.groupProgress(name, p), appendGroupProgress(nil, groupProgress{checkpoint: begin}))
	}
	return nil
}

// startingPoint is the position that stands for End at this moment, or p itself.
func startingPoint(tr engine.Transaction, p Position) (Position, error) {
	if p != End {
		return p, nil
	}
	version, err := tr.ReadVersion().Get()
	return lastOfVersion(version), err
}

func (o *GroupOptions) check() error {
	if err := o.Query.Validate(); err != nil {
		return err
	}
	if o.StreamPrefix != "" {
		if err := ValidateName("stream prefix", o.StreamPrefix, MaxStreamName); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		what  string
		value time.Duration
	}{{"message time-out", o.MessageTimeout}, {"lease time", o.LeaseTime}} {
		if d.value != 0 && d.value < minGroupTime {
			return &InvalidError{What: d.what, Value: d.value.String(), Reason: fmt.Sprintf("want 0 for the default, or at least %v", minGroupTime)}
		}
	}
	return nil
}

// config is a new group's, with defaults filled in.
func (o *GroupOptions) config() groupConfig {
	c := groupConfig{
		incarnation: uuid.New(), prefix: o.StreamPrefix, query: o.Query, from: o.From,
		messageTimeout: o.MessageTimeout, maxRetries: o.MaxRetries, leaseTime: o.LeaseTime,
	}
	if c.messageTimeout == 0 {
		c.messageTimeout = defaultMessageTimeout
	}
	if c.leaseTime == 0 {
		c.leaseTime = defaultLeaseTime
	}
	switch {
	case c.maxRetries == 0:
		c.maxRetries = defaultMaxRetries
	case c.maxRetries < 0:
		c.maxRetries = 0
	}
	return c
}

// options are those that Group would take to create the like.
func (c *groupConfig) options() GroupOptions {
	o := GroupOptions{
		Query: c.query, StreamPrefix: c.prefix, From: c.from,
		MessageTimeout: c.messageTimeout, MaxRetries: c.maxRetries, LeaseTime: c.leaseTime,
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = -1
	}
	return o
}

// agrees refuses options that are given and are not those of the group.
func (o *GroupOptions) agrees(c groupConfig) error {
	want, have := o.config(), c
	for _, field := range []struct {
		what       string
		given      bool
		want, have any
	}{
		{"query", len(o.Query.Items) > 0, normal(want.query), normal(have.query)},
		{"stream prefix", o.StreamPrefix != "", want.prefix, have.prefix},
		{"starting position", o.From != Start, want.from, have.from},
		{"message time-out", o.MessageTimeout != 0, want.messageTimeout, have.messageTimeout},
		{"retries", o.MaxRetries != 0, want.maxRetries, have.maxRetries},
		{"lease time", o.LeaseTime != 0, want.leaseTime, have.leaseTime},
	} {
		if field.given && !reflect.DeepEqual(field.want, field.have) {
			return &InvalidError{What: "group " + field.what, Value: fmt.Sprint(field.want), Reason: fmt.Sprintf(
				"the group was created with %q, which cannot change; leave it out, reset the group's position, or delete the group and create it anew", fmt.Sprint(field.have))}
		}
	}
	return nil
}

// normal is a query whose empty slices are all nil, as a decoded one's are.
func normal(q Query) (out Query) {
	for _, it := range q.Items {
		out.Items = append(out.Items, QueryItem{append([]string(nil), it.Types...), append([]string(nil), it.Tags...)})
	}
	return out
}

// Name is the group's name.
func (g *Group) Name() string { return g.name }

// Options are the settings that the group was created with, defaults filled in.
// The slices of the query must not be modified.
func (g *Group) Options() GroupOptions { return g.options }

// Pause makes members stop delivering messages, a moment later. What they have
// delivered can still be settled.
func (g *Group) Pause(ctx context.Context) error { return g.setPaused(ctx, "pausing", true) }

// Resume ends a pause.
func (g *Group) Resume(ctx context.Context) error { return g.setPaused(ctx, "resuming", false) }

func (g *Group) setPaused(ctx context.Context, what string, paused bool) error {
	return g.change(ctx, what, func(tr engine.Transaction, c groupConfig) error {
		c.paused = paused
		tr.Set(g.store.keys.groupConfig(g.name), appendGroupConfig(nil, c))
		g.store.ringGroup(tr, g.name)
		return nil
	})
}

// Reset makes the group go on after a position, whatever it has settled so far:
// Start delivers everything again, End only what is appended from now on. Members
// lose their leases and take new ones; what they hold can no longer be settled.
// Parked messages stay parked.
//
// Errors: *InvalidError for a position of another store, ErrGroupDeleted.
func (g *Group) Reset(ctx context.Context, after Position) error {
	return g.change(ctx, "resetting", func(tr engine.Transaction, _ groupConfig) error {
		s := g.store
		if err := checkPosition(tr, after); err != nil {
			return err
		}
		begin, err := startingPoint(tr, after)
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
			tr.Set(s.keys.groupLease(g.name, p), appendGroupLease(nil, groupLease{epoch: lease.epoch + 1}))
			tr.Set(s.keys.groupProgress(g.name, p), appendGroupProgress(nil, groupProgress{checkpoint: begin}))
		}
		s.ringGroup(tr, g.name)
		return nil
	})
}

// Delete removes the group and all that it knew, parked messages included. The
// events stay. Members end with ErrGroupDeleted.
func (g *Group) Delete(ctx context.Context) error {
	begun := false
	err := g.change(ctx, "deleting", func(tr engine.Transaction, _ groupConfig) error {
		begun = true
		tr.ClearRange(g.store.keys.group(g.name))
		return nil
	})
	if begun && errors.Is(err, ErrGroupDeleted) {
		return nil // by an attempt of which that was not known, or by somebody else
	}
	return err
}

// change runs fn in a transaction, with the group's settings.
func (g *Group) change(ctx context.Context, what string, fn func(tr engine.Transaction, c groupConfig) error) error {
	return g.named(what, g.store.update(ctx, func(tr engine.Transaction, _ error) error {
		c, err := g.config(tr)
		if err != nil {
			return err
		}
		return fn(tr, c)
	}))
}

// look runs fn with a reader, and with the group's settings.
func (g *Group) look(ctx context.Context, what string, fn func(r reader, c groupConfig) error) error {
	return g.named(what, g.store.view(ctx, func(r reader) error {
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
func (g *Group) config(r engine.Reader) (c groupConfig, err error) {
	value, err := r.Get(g.store.keys.groupConfig(g.name)).Get()
	if err != nil {
		return c, err
	}
	if value == nil {
		return c, ErrGroupDeleted
	}
	if c, err = decodeGroupConfig(value); err == nil && c.incarnation != g.incarnation {
		err = ErrGroupDeleted
	}
	return c, err
}

// readLeases reads who has which partition.
func (g *Group) readLeases(r engine.Reader) ([]groupLease, error) {
	s := g.store
	page, err := r.GetRange(s.keys.groupLeases(g.name), engine.RangeOptions{}).Get()
	if err != nil {
		return nil, err
	}
	leases := make([]groupLease, len(page.KeyValues))
	for i, kv := range page.KeyValues {
		if leases[i], err = decodeGroupLease(kv.Value); err != nil {
			return nil, fmt.Errorf("lease of partition %d: %w", i, err)
		}
	}
	if len(leases) != s.header.partitions {
		return nil, fmt.Errorf("%w: %d leases for %d partitions", ErrCorrupt, len(leases), s.header.partitions)
	}
	return leases, nil
}

// ringGroup makes the members look at the group at once. An addition cannot
// conflict.
func (s *Store) ringGroup(tr engine.Transaction, name string) {
	tr.Atomic(engine.OpAdd, s.keys.groupBell(name), appendCounter(nil, 1))
}
