package groups

import (
	"fmt"
	"reflect"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// Options are the settings of a consumer group. They are fixed when the group is
// created. For a group that exists, Open only compares the fields that are not zero.
// The zero value delivers every event.
type Options struct {
	// Filter selects events. A group takes at most one stream prefix, and a query.
	Filter fdbevents.Filter
	// From is the position after which a new group begins: Start for every event, End
	// for events that are appended later.
	From fdbevents.Position
	// MessageTimeout is how long a member may take to settle a message before the
	// message is delivered again: at least 10 ms, 30 seconds when zero.
	MessageTimeout time.Duration
	// MaxRetries is how often a message is delivered again before it is parked: 10
	// when zero, never when negative.
	MaxRetries int
	// LeaseTime is how long a member may be silent before others take over: at least
	// 10 ms, 10 seconds when zero. Members write four heartbeats in that time.
	LeaseTime time.Duration
}

const (
	defaultMessageTimeout = 30 * time.Second
	defaultMaxRetries     = 10
	defaultLeaseTime      = 10 * time.Second
	// minGroupTime is the least MessageTimeout and LeaseTime.
	minGroupTime = 10 * time.Millisecond
)

// check refuses options that no group can have.
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
	}{{"message timeout", o.MessageTimeout}, {"lease time", o.LeaseTime}} {
		if d.value != 0 && d.value < minGroupTime {
			return &fdbevents.InvalidError{What: d.what, Value: d.value.String(), Reason: fmt.Sprintf("want 0 for the default, or at least %v", minGroupTime)}
		}
	}
	return nil
}

// config returns the stored settings of a new group, with defaults filled in.
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

// filterOf returns the filter of a stored group.
func filterOf(c layout.GroupConfig) fdbevents.Filter {
	f := fdbevents.InStreams(c.Prefix)
	f.Query = c.Query
	return f
}

// optionsOf returns the options that create a group with the same settings.
func optionsOf(c layout.GroupConfig) Options {
	o := Options{Filter: filterOf(c), From: c.From,
		MessageTimeout: c.MessageTimeout, MaxRetries: c.MaxRetries, LeaseTime: c.LeaseTime,
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = -1
	}
	return o
}

// agrees refuses options that are given and differ from the group's.
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
		{"message timeout", o.MessageTimeout != 0, want.MessageTimeout, have.MessageTimeout},
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

// normal makes all empty slices of a query nil, as decoding does.
func normal(q fdbevents.Query) (out fdbevents.Query) {
	for _, it := range q.Items {
		out.Items = append(out.Items, fdbevents.QueryItem{Types: append([]string(nil), it.Types...), Tags: append([]string(nil), it.Tags...)})
	}
	return out
}
