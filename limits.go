package fdbevents

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be stored. Sizes are in bytes.
const (
	// MaxEventSize bounds data and metadata of one event together.
	MaxEventSize = 8 << 20
	// MaxAppendSize bounds data and metadata of all events of one append, over
	// all its streams.
	MaxAppendSize = 8 << 20
	// MaxAppendEvents bounds the events of one append, over all its streams.
	MaxAppendEvents = 4096
	// MaxStreamName bounds the UTF-8 form of a stream name.
	MaxStreamName = 1024
	// MaxTags bounds the tags of an event.
	MaxTags = 64
	// MaxTagSize bounds the UTF-8 form of a tag.
	MaxTagSize = 256
	// MaxTypeSize bounds the UTF-8 form of an event type or content type.
	MaxTypeSize = 1024
	// MaxName bounds the UTF-8 form of the name of a checkpoint or projection.
	MaxName = 256
	// MaxStreamMetadata bounds the user metadata of a stream.
	MaxStreamMetadata = 64 << 10
	// MaxGroupName bounds the UTF-8 form of a consumer group's name.
	MaxGroupName = 256
	// MaxPartitions bounds Options.Partitions.
	MaxPartitions = 256
	// MaxReason is how much of a Nack's reason is kept.
	MaxReason = 1024
)

// ValidateName applies the rules of names to the one that what describes: 1 to limit
// bytes of UTF-8 without control characters. It returns an *InvalidError or a
// *LimitError.
func ValidateName(what, s string, limit int) error {
	if s == "" {
		return &InvalidError{What: what, Value: s, Reason: "must not be empty"}
	}
	if len(s) > limit {
		return &LimitError{What: what, Got: int64(len(s)), Limit: int64(limit), Unit: "bytes"}
	}
	ascii := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			ascii = false
			break
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return &InvalidError{What: what, Value: s, Reason: "must be valid UTF-8"}
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return &InvalidError{What: what, Value: s, Reason: fmt.Sprintf("must not have control characters (found %U)", r)}
		}
	}
	return nil
}

// ValidateStreamName refuses what cannot be the name of a stream. Names that begin
// with $ are reserved.
func ValidateStreamName(stream string) error {
	if err := ValidateName("stream name", stream, MaxStreamName); err != nil {
		return err
	}
	if stream[0] == '$' {
		return &InvalidError{What: "stream name", Value: stream, Reason: "names that begin with $ are reserved for virtual streams"}
	}
	return nil
}

// Validate refuses an event that no store takes, with an *InvalidError or a
// *LimitError.
func (e *EventData) Validate() error {
	if err := ValidateName("event type", e.Type, MaxTypeSize); err != nil {
		return err
	}
	if e.ContentType != "" {
		if err := ValidateName("content type", e.ContentType, MaxTypeSize); err != nil {
			return err
		}
	}
	if len(e.Tags) > MaxTags {
		return &LimitError{What: "tags of an event", Got: int64(len(e.Tags)), Limit: MaxTags, Unit: "tags"}
	}
	for i, tag := range e.Tags {
		if err := ValidateName("tag", tag, MaxTagSize); err != nil {
			return err
		}
		for _, other := range e.Tags[:i] {
			if other == tag {
				return &InvalidError{What: "tag", Value: tag, Reason: "is given twice on one event"}
			}
		}
	}
	if size := len(e.Data) + len(e.Metadata); size > MaxEventSize {
		return &LimitError{What: "event data and metadata", Got: int64(size), Limit: MaxEventSize, Unit: "bytes"}
	}
	if y := e.Created.Year(); !e.Created.IsZero() && (y < 1678 || y > 2261) {
		return &InvalidError{What: "created", Value: e.Created.String(), Reason: "must lie in the years 1678 to 2261"}
	}
	return nil
}
