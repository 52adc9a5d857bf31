package fdblayer

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
		if q.Items[i].matches(eventType, tags) {
			return true
		}
	}
	return false
}

func (it *QueryItem) matches(eventType string, tags []string) bool {
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

func (q Query) check() error {
	for _, it := range q.Items {
		for _, t := range it.Types {
			if err := checkText("event type in query", t, MaxTypeSize); err != nil {
				return err
			}
		}
		for _, tag := range it.Tags {
			if err := checkText("tag in query", tag, MaxTagSize); err != nil {
				return err
			}
		}
	}
	return nil
}

// Condition lets an append happen only if no event that Query selects exists
// after position After: a dynamic consistency boundary. A decision is made from
// the events that Query selects up to After; if another such event came since,
// the decision must be made again.
type Condition struct {
	Query Query
	// After is the position up to which the writer has seen; Start when it has
	// seen nothing.
	After Position
}

func (c *Condition) check() error {
	if len(c.Query.Items) == 0 {
		return &InvalidError{What: "append condition", Value: "", Reason: "its query has no items and would select every event; name types or tags"}
	}
	if c.After == End {
		return &InvalidError{What: "append condition", Value: "after End", Reason: "no event can come after End, so that nothing would be ruled out; give the position of the last event that was seen, or Start"}
	}
	return c.Query.check()
}
