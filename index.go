package fdbevents

// The system indexes, which a store can have besides that of tags.
const (
	// IndexType finds events by their type.
	IndexType = "type"
	// IndexCategory finds events by the category of their stream: its name up to
	// the first '-'. Streams without a '-' have none.
	IndexCategory = "category"
)
