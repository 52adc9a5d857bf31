package fdbevents

import (
	"slices"
)

// Query selects the events that match at least one of its items. The zero Query has no
// items and selects every event.
type Query struct {
	Items []QueryItem
}

// QueryItem matches an event that has one of Types and all of Tags. Without Types, it
// matches events of every type.
type QueryItem struct {
	Types []string
	Tags  []string
}

// Matches reports whether the query selects an event with this type and these tags.
func (q Query) Matches(eventType string, tags []string) bool {
	if len(q.Items) == 0 {
		return true
	}
	for i := range q.Items {
		if q.Items[i].Matches(eventType, tags) {
			return true
		}
	}
	return false
}

// Matches reports whether the item matches an event with this type and these tags.
func (it *QueryItem) Matches(eventType string, tags []string) bool {
	if len(it.Types) > 0 && !slices.Contains(it.Types, eventType) {
		return false
	}
	for _, tag := range it.Tags {
		if !slices.Contains(tags, tag) {
			return false
		}
	}
	return true
}

// Validate returns an *InvalidError or a *LimitError if the query has a type or tag
// that no event can have.
func (q Query) Validate() error {
	for _, it := range q.Items {
		for _, t := range it.Types {
			if err := ValidateName("event type in query", t, MaxTypeSize); err != nil {
				return err
			}
		}
		for _, tag := range it.Tags {
			if err := ValidateName("tag in query", tag, MaxTagSize); err != nil {
				return err
			}
		}
	}
	return nil
}
