package fdbevents

import (
	"slices"
)

// Query selects events: those that match at least one of its items. The zero
// Query has no items and selects every event.
type Query struct {
	Items []QueryItem
}

// QueryItem matches an event whose type is one of Types, or any when there are
// none, and which has all of Tags.
type QueryItem struct {
	Types []string
	Tags  []string
}

// Matches reports whether the query selects an event of this type and tags.
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

// Validate refuses types and tags that no event can have.
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
