package fdblayer_test

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// There are few names of everything, so that draws collide. A failure shrinks to the
// first of each.
var (
	modelStreams  = []string{"a-1", "a-2", "a", "b-1"}
	modelPrefixes = []string{"a-", "a", "b-1", "c"}
	modelTypes    = []string{"x", "y", "z"}
	modelTags     = []string{"p", "q", "r"}
	modelIndexes  = []string{fdbevents.IndexType, fdbevents.IndexCategory}
)

func oneOf[T any](t *rapid.T, what string, of []T) T { return rapid.SampledFrom(of).Draw(t, what) }

// rarely is true once in n times, and never in a failure that has been shrunk.
func rarely(t *rapid.T, what string, n int) bool { return rapid.IntRange(1, n).Draw(t, what) == n }

func drawStream(t *rapid.T) string { return oneOf(t, "stream", modelStreams) }

func drawTags(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(modelTags), 0, len(modelTags), rapid.ID).Draw(t, "tags")
}

// drawBytes mostly returns few bytes. Some draws do not fit into a stream entry, and
// rare ones take several chunks.
func drawBytes(t *rapid.T) []byte {
	n := rapid.IntRange(0, 3).Draw(t, "size")
	switch {
	case rarely(t, "bigger than a chunk", 40):
		n += 100_000
	case rarely(t, "not inline", 8):
		n += 1_500
	}
	return bytes.Repeat([]byte{rapid.ByteRange('0', '2').Draw(t, "byte")}, n)
}

// nameID returns one of a few ids.
func nameID(n int) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, n)) }

func drawNewEvent(t *rapid.T) fdbevents.EventData {
	ev := fdbevents.EventData{Type: oneOf(t, "type", modelTypes), Tags: drawTags(t), Data: drawBytes(t)}
	if n := rapid.IntRange(0, 60).Draw(t, "id"); n > 45 {
		ev.ID = nameID(n)
	}
	if rarely(t, "more fields", 4) {
		ev.ContentType, ev.Metadata = "text/plain", []byte("m")
		ev.Created = time.Unix(1_700_000_000, rapid.Int64Range(0, 3).Draw(t, "created")).UTC()
	}
	return ev
}

// drawRepeat draws an append of events that are stored already: as they were, or with
// one thing changed.
func (m *machine) drawRepeat(t *rapid.T) fdbevents.StreamAppend {
	a := fdbevents.StreamAppend{Stream: drawStream(t), Expected: m.drawExpected(t, "")}
	old := m.model.stream(a.Stream).events
	if len(old) == 0 {
		t.Skip("the stream has no events")
	}
	first := rapid.IntRange(0, len(old)-1).Draw(t, "first")
	last := rapid.IntRange(first, min(first+2, len(old)-1)).Draw(t, "last")
	for _, ev := range old[first : last+1] {
		a.Events = append(a.Events, fdbevents.EventData{
			ID: ev.ID, Type: ev.Type, ContentType: ev.ContentType, Tags: ev.Tags, Created: ev.Created, Data: ev.Data, Metadata: ev.Metadata,
		})
	}
	changed := &a.Events[rapid.IntRange(0, len(a.Events)-1).Draw(t, "changed")]
	switch oneOf(t, "change", []string{"", "", "", "type", "data", "tags", "metadata", "content type", "order", "other before", "other after", "twice"}) {
	case "type":
		changed.Type += "2"
	case "data":
		changed.Data = append(bytes.Clone(changed.Data), 'd')
	case "tags":
		changed.Tags = append(slices.Clone(changed.Tags), "s")
	case "metadata":
		changed.Metadata = append(bytes.Clone(changed.Metadata), 'm')
	case "content type":
		changed.ContentType += "2"
	case "order":
		slices.Reverse(a.Events)
	case "other before":
		a.Events = slices.Insert(a.Events, 0, drawNewEvent(t))
	case "other after":
		a.Events = append(a.Events, drawNewEvent(t))
	case "twice":
		a.Events = append(a.Events, a.Events[0])
	}
	return a
}

// drawExpected is right half of the time, unless an earlier step of the same
// transaction changes the stream.
func (m *machine) drawExpected(t *rapid.T, stream string) fdbevents.ExpectedRevision {
	s := m.model.stream(stream)
	switch oneOf(t, "expected", []string{"any", "right", "right", "wrong", "none", "exists"}) {
	case "right":
		if s.next() > 0 {
			return fdbevents.ExpectedRevision(s.next() - 1)
		}
		return fdbevents.NoStream
	case "wrong":
		return fdbevents.ExpectedRevision(rapid.Int64Range(0, s.next()+1).Draw(t, "revision"))
	case "none":
		return fdbevents.NoStream
	case "exists":
		return fdbevents.StreamExists
	}
	return fdbevents.Any
}

func (m *machine) drawAppend(t *rapid.T) fdbevents.StreamAppend {
	if rarely(t, "repeat", 5) {
		return m.drawRepeat(t)
	}
	stream := drawStream(t)
	a := fdbevents.StreamAppend{Stream: stream, Expected: m.drawExpected(t, stream)}
	for range rapid.IntRange(1, 5).Draw(t, "events") {
		a.Events = append(a.Events, drawNewEvent(t))
	}
	return a
}

func (m *machine) drawAppends(t *rapid.T, least int) []fdbevents.StreamAppend {
	appends := make([]fdbevents.StreamAppend, rapid.IntRange(least, 4).Draw(t, "appends"))
	for i := range appends {
		appends[i] = m.drawAppend(t)
	}
	return appends
}

func drawQuery(t *rapid.T, least int) (q fdbevents.Query) {
	for range rapid.IntRange(least, 2).Draw(t, "items") {
		q.Items = append(q.Items, fdbevents.QueryItem{
			Types: rapid.SliceOfNDistinct(rapid.SampledFrom(modelTypes), 0, 2, rapid.ID).Draw(t, "types"),
			Tags:  rapid.SliceOfNDistinct(rapid.SampledFrom(modelTags), 0, 2, rapid.ID).Draw(t, "tags"),
		})
	}
	return q
}

func (m *machine) drawCondition(t *rapid.T) *fdbevents.Condition {
	c := &fdbevents.Condition{Query: drawQuery(t, 1)}
	switch oneOf(t, "after", []string{"start", "some event", "last event", "last event"}) {
	case "some event":
		c.After = m.drawPosition(t)
	case "last event":
		if n := len(m.model.log); n > 0 {
			c.After = m.model.log[n-1].Position
		}
	}
	return c
}

// drawPosition draws the position of an event, or Start.
func (m *machine) drawPosition(t *rapid.T) fdbevents.Position {
	i := rapid.IntRange(0, len(m.model.log)).Draw(t, "position")
	if i == 0 {
		return fdbevents.Start
	}
	return m.model.log[i-1].Position
}

func drawFilter(t *rapid.T) fdbevents.Filter {
	f := fdbevents.Filter{Query: drawQuery(t, 0)}
	if rapid.IntRange(0, 4).Draw(t, "one stream") == 0 {
		f.Stream = oneOf(t, "stream", modelStreams)
	}
	f.StreamPrefixes = rapid.SliceOfNDistinct(rapid.SampledFrom(modelPrefixes), 0, 2, rapid.ID).Draw(t, "prefixes")
	f.TypePrefixes = rapid.SliceOfNDistinct(rapid.SampledFrom(modelTypes), 0, 2, rapid.ID).Draw(t, "type prefixes")
	return f
}

func drawReadOptions(t *rapid.T) fdblayer.ReadOptions {
	return fdblayer.ReadOptions{
		Filter:   drawFilter(t),
		Backward: rapid.Bool().Draw(t, "backward"), Limit: rapid.IntRange(0, 5).Draw(t, "limit"),
	}
}
