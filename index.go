package fdbevents

// The system indexes, which a store can have in addition to the index of tags.
const (
	// IndexType finds events by their type.
	IndexType = "type"
	// IndexCategory finds events by the category of their stream: the stream's name up
	// to the first '-'. A stream without a '-' has no category.
	IndexCategory = "category"
)
