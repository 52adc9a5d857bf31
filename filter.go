package fdbevents

import (
	"slices"
	"strings"
)

// Filter is what a reader wants: the events that all of its parts select. A part that
// is empty selects every event, and so does the zero Filter.
type Filter struct {
	// Stream is the one stream whose events are wanted.
	Stream string
	// StreamPrefixes select the streams whose name begins with one of them.
	StreamPrefixes []string
	// TypePrefixes select the events whose type begins with one of them.
	TypePrefixes []string
	// Query selects events by type and tags.
	Query Query
}

// InStreams is the Filter of the streams whose name begins with prefix, and of all
// events when prefix is empty.
func InStreams(prefix string) Filter {
	if prefix == "" {
		return Filter{}
	}
	return Filter{StreamPrefixes: []string{prefix}}
}

// Matches reports whether the filter selects ev.
func (f *Filter) Matches(ev *Event) bool {
	return (f.Stream == "" || f.Stream == ev.Stream) &&
		hasPrefix(ev.Stream, f.StreamPrefixes) &&
		hasPrefix(ev.Type, f.TypePrefixes) &&
		f.Query.Matches(ev.Type, ev.Tags)
}

func hasPrefix(name string, prefixes []string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// All reports whether the filter selects every event.
func (f *Filter) All() bool {
	return !f.BeyondQuery() && len(f.Query.Items) == 0
}

// BeyondQuery reports whether the filter has a part besides its Query.
func (f *Filter) BeyondQuery() bool {
	return f.Stream != "" || len(f.StreamPrefixes) > 0 || len(f.TypePrefixes) > 0
}

// Validate refuses names and prefixes that no stream and no event can have.
func (f *Filter) Validate() error {
	if f.Stream != "" {
		if err := ValidateStreamName(f.Stream); err != nil {
			return err
		}
	}
	for _, p := range f.StreamPrefixes {
		if err := ValidateName("stream prefix", p, MaxStreamName); err != nil {
			return err
		}
	}
	for _, p := range f.TypePrefixes {
		if err := ValidateName("type prefix", p, MaxTypeSize); err != nil {
			return err
		}
	}
	return f.Query.Validate()
}
