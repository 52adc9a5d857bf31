package fdbevents

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

// Validate refuses a condition that selects every event, or rules nothing out.
func (c *Condition) Validate() error {
	if len(c.Query.Items) == 0 {
		return &InvalidError{What: "append condition", Value: "", Reason: "its query has no items and would select every event; name types or tags"}
	}
	if c.After == End {
		return &InvalidError{What: "append condition", Value: "after End", Reason: "no event can come after End, so that nothing would be ruled out; give the position of the last event that was seen, or Start"}
	}
	return c.Query.Validate()
}
