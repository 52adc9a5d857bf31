package layout

import (
	"strings"

	"github.com/fdbevents/fdbevents"
)

// A system index is a set of tags that no event can be given: they begin with a
// control character.
const systemTagByte = "\x01"

// systemTagPrefix begins all tags of a system index.
func SystemTagPrefix(index string) string { return systemTagByte + index[:1] }

func TypeTag(eventType string) string    { return SystemTagPrefix(fdbevents.IndexType) + eventType }
func CategoryTag(category string) string { return SystemTagPrefix(fdbevents.IndexCategory) + category }
func IsSystemTag(tag string) bool        { return strings.HasPrefix(tag, systemTagByte) }

// systemTag is the tag by which an index finds an event. ok is false when it does
// not have it.
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

// AppendSystemTags appends the tags by which the indexes find an event.
func AppendSystemTags(dst []string, indexes []SystemIndex, stream, eventType string) []string {
	for _, i := range indexes {
		if tag, ok := SystemTag(i.Name, stream, eventType); ok {
			dst = append(dst, tag)
		}
	}
	return dst
}
