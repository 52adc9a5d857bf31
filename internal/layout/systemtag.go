package layout

import (
	"strings"

	"github.com/fdbevents/fdbevents"
)

// systemTagByte begins the tags of the system indexes. It is a control character, so no
// event can be given one of them.
const systemTagByte = "\x01"

// SystemTagPrefix returns the prefix of all tags of a system index.
func SystemTagPrefix(index string) string { return systemTagByte + index[:1] }

// TypeTag returns the tag of IndexType for an event type.
func TypeTag(eventType string) string { return SystemTagPrefix(fdbevents.IndexType) + eventType }

// CategoryTag returns the tag of IndexCategory for a category.
func CategoryTag(category string) string { return SystemTagPrefix(fdbevents.IndexCategory) + category }

// IsSystemTag reports whether tag belongs to a system index.
func IsSystemTag(tag string) bool { return strings.HasPrefix(tag, systemTagByte) }

// SystemTag returns the tag by which a system index finds an event. ok is false if the
// index does not hold the event.
func SystemTag(index, stream, eventType string) (tag string, ok bool) {
	switch index {
	case fdbevents.IndexType:
		return TypeTag(eventType), true
	case fdbevents.IndexCategory:
		category, _, ok := strings.Cut(stream, "-")
		return CategoryTag(category), ok
	}
	return "", false
}

// AppendSystemTags appends the tags by which the given indexes find an event.
func AppendSystemTags(dst []string, indexes []SystemIndex, stream, eventType string) []string {
	for _, i := range indexes {
		if tag, ok := SystemTag(i.Name, stream, eventType); ok {
			dst = append(dst, tag)
		}
	}
	return dst
}
