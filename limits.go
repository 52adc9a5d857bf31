package fdbevents

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be stored. Sizes and lengths are in bytes.
const (
	// MaxEventSize is the limit on the data and metadata of one event together.
	MaxEventSize = 8 << 20
	// MaxAppendSize is the limit on the data and metadata of all events of one append
	// together, over all its streams.
	MaxAppendSize = 8 << 20
	// MaxAppendEvents is the most events of one append, over all its streams.
	MaxAppendEvents = 4096
	// MaxStreamName is the longest stream name, in UTF-8.
	MaxStreamName = 1024
	// MaxTags is the most tags of one event.
	MaxTags = 64
	// MaxTagSize is the longest tag, in UTF-8.
	MaxTagSize = 256
	// MaxTypeSize is the longest event type or content type, in UTF-8.
	MaxTypeSize = 1024
	// MaxName is the longest name of a checkpoint or projection, in UTF-8.
	MaxName = 256
	// MaxStreamMetadata is the limit on the user metadata of a stream.
	MaxStreamMetadata = 64 << 10
	// MaxGroupName is the longest name of a consumer group, in UTF-8.
	MaxGroupName = 256
	// MaxPartitions is the most partitions of a store, see fdblayer.Options.
	MaxPartitions = 256
	// MaxReason is how much of a Nack's reason is kept.
	MaxReason = 1024
)

// ValidateName checks a name: 1 to limit bytes of UTF-8 without control characters.
// what describes the name in the error, which is an *InvalidError or a *LimitError.
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

// ValidateStreamName checks the name of a stream: 1 to MaxStreamName bytes, with the
// rules of ValidateName. Names that begin with $ are reserved. It returns an
// *InvalidError or a *LimitError.
func ValidateStreamName(stream string) error {
	if err := ValidateName("stream name", stream, MaxStreamName); err != nil {
		return err
	}
	if stream[0] == '$' {
		return &InvalidError{What: "stream name", Value: stream, Reason: "names that begin with $ are reserved for virtual streams"}
	}
	return nil
}

// Validate returns an *InvalidError or a *LimitError if no store accepts the event.
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
