package fdbevents

import (
	"slices"
	"strings"
)

// Filter says which events a reader wants: those that all of its parts select. An empty
// part selects every event, and so does the zero Filter.
type Filter struct {
	// Stream is the one stream whose events are selected.
	Stream string
	// StreamPrefixes select the streams whose name begins with one of them.
	StreamPrefixes []string
	// TypePrefixes select the events whose type begins with one of them.
	TypePrefixes []string
	// Query selects events by type and tags.
	Query Query
}

// InStreams returns the Filter that selects the streams whose name begins with prefix,
// or every event if prefix is empty.
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

// BeyondQuery reports whether the filter has a part other than its Query.
func (f *Filter) BeyondQuery() bool {
	return f.Stream != "" || len(f.StreamPrefixes) > 0 || len(f.TypePrefixes) > 0
}

// Validate returns an *InvalidError or a *LimitError if the filter has a name, prefix,
// type or tag that no stream or event can have.
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
