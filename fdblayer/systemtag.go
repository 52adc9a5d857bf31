package fdblayer

import "strings"

// A system index is a set of tags that no event can be given: they begin with a
// control character.
const systemMark = "\x01"

// systemTagPrefix begins all tags of a system index.
func systemTagPrefix(index string) string { return systemMark + index[:1] }

func typeTag(eventType string) string    { return systemTagPrefix(IndexType) + eventType }
func categoryTag(category string) string { return systemTagPrefix(IndexCategory) + category }
func isSystemTag(tag string) bool        { return strings.HasPrefix(tag, systemMark) }

// systemTag is the tag by which an index finds an event. ok is false when it does
// not have it.
func systemTag(index, stream, eventType string) (tag string, ok bool) {
	switch index {
	case IndexType:
		return typeTag(eventType), true
	case IndexCategory:
		category, _, ok := strings.Cut(stream, "-")
		return categoryTag(category), ok
	}
	return "", false
}
