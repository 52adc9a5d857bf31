package fdbevents

// Condition allows an append only if no event that Query selects exists after position
// After: a dynamic consistency boundary. The writer made its decision from the events
// that Query selects up to After; if another such event has been appended since, the
// decision must be made again.
type Condition struct {
	Query Query
	// After is the position up to which the writer has read, or Start if it has read
	// nothing.
	After Position
}

// Validate returns an *InvalidError or a *LimitError for a condition that would select
// every event, that rules nothing out, or whose query no event can match.
func (c *Condition) Validate() error {
	if len(c.Query.Items) == 0 {
		return &InvalidError{What: "append condition", Value: "", Reason: "its query has no items and would select every event; name types or tags"}
	}
	if c.After == End {
		return &InvalidError{What: "append condition", Value: "after End", Reason: "no event can come after End, so the condition would rule out nothing; give the position of the last event seen, or Start"}
	}
	return c.Query.Validate()
}
