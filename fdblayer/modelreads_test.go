package fdblayer_test

import (
	"context"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"pgregory.net/rapid"
)

// drawRevision draws a revision of a stream, or one next to its ends, or
// fdbevents.StreamEnd.
func (m *machine) drawRevision(t *rapid.T, stream string) int64 {
	n := m.model.stream(stream).next()
	if r := rapid.Int64Range(-1, n+2).Draw(t, "revision"); r < n+2 {
		return r
	}
	return fdbevents.StreamEnd
}

func (m *machine) readStream(t *rapid.T) {
	stream := drawStream(t)
	m.wantStream(t, stream, m.drawRevision(t, stream), drawReadOptions(t))
	got, err := m.store.Stream(m.ctx, stream)
	want, wantErr := m.model.info(stream)
	wantError(t, "the stream", err, wantErr)
	wantInfo(t, got, want)
}

func (m *machine) wantStream(t *rapid.T, stream string, from int64, o fdblayer.ReadOptions) {
	t.Helper()
	got, err := drain(m.store.ReadStream(m.ctx, stream, from, o))
	want, wantErr := m.model.readStream(stream, from, o)
	wantError(t, "reading stream "+stream, err, wantErr)
	wantEvents(t, "stream "+stream, got, want)
}

func (m *machine) readAll(t *rapid.T) {
	o := drawReadOptions(t)
	from := m.drawPosition(t)
	if rapid.Bool().Draw(t, "from the end") {
		from = fdbevents.End
	}
	got, err := drain(m.store.ReadAll(m.ctx, from, o))
	wantError(t, "reading the log", err, nil)
	wantEvents(t, "the log", got, m.model.readAll(from, o))
}

func (m *machine) followStream(t *rapid.T) {
	stream := drawStream(t)
	after := m.drawRevision(t, stream)
	o := drawReadOptions(t)
	o.Backward, o.Limit = false, 0
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	got, err := drain(m.store.SubscribeStream(ctx, stream, after, fdblayer.SubscribeOptions{Filter: o.Filter, CaughtUp: cancel}))
	want, wantErr := m.model.followStream(stream, after, o)
	if wantErr == nil {
		wantErr = context.Canceled
	}
	wantError(t, "following stream "+stream, err, wantErr)
	wantEvents(t, "following stream "+stream, got, want)
}

func (m *machine) follow(t *rapid.T) {
	after := m.drawPosition(t)
	if rarely(t, "after the end", 5) {
		after = fdbevents.End
	}
	o := drawReadOptions(t)
	o.Backward, o.Limit = false, 0
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	got, err := drain(m.store.Subscribe(ctx, after, fdblayer.SubscribeOptions{Filter: o.Filter, CaughtUp: cancel}))
	wantError(t, "following the log", err, context.Canceled)
	wantEvents(t, "following the log", got, m.model.follow(after, o))
}

// badInput checks that bad input is refused. compare, which runs after every action,
// then checks that nothing changed.
func (m *machine) badInput(t *rapid.T) {
	long := strings.Repeat("n", fdbevents.MaxStreamName+1)
	invalid := func(what, value string) error { return &fdbevents.InvalidError{What: what, Value: value} }
	limit := func(what string, got, limit int64, unit string) error {
		return &fdbevents.LimitError{What: what, Got: got, Limit: limit, Unit: unit}
	}
	appending := func(stream string, ev fdbevents.EventData) func() error {
		return func() error {
			_, err := m.store.AppendMany(m.ctx, storetest.AppendTo("a", storetest.Event("x")), storetest.AppendTo(stream, ev))
			return err
		}
	}
	many := make([]string, fdbevents.MaxTags+1)
	for i := range many {
		many[i] = strings.Repeat("t", i+1)
	}
	bad := []struct {
		what string
		do   func() error
		want error
	}{
		{"empty stream name", appending("", storetest.Event("x")), invalid("stream name", "")},
		{"long stream name", appending(long, storetest.Event("x")), limit("stream name", int64(len(long)), fdbevents.MaxStreamName, "bytes")},
		{"virtual stream name", appending("$all", storetest.Event("x")), invalid("stream name", "$all")},
		{"stream name that is not UTF-8", appending("\xff", storetest.Event("x")), invalid("stream name", "\xff")},
		{"control character", appending("a\x01", storetest.Event("x")), invalid("stream name", "a\x01")},
		{"no type", appending("a", storetest.Event("")), invalid("event type", "")},
		{"empty tag", appending("a", storetest.Tagged("x", "")), invalid("tag", "")},
		{"system tag", appending("a", storetest.Tagged("x", "\x01tx")), invalid("tag", "\x01tx")},
		{"same tag twice", appending("a", storetest.Tagged("x", "p", "p")), invalid("tag", "p")},
		{"too many tags", appending("a", storetest.Tagged("x", many...)), limit("tags of an event", fdbevents.MaxTags+1, fdbevents.MaxTags, "tags")},
		{"event too large", appending("a", fdbevents.EventData{Type: "x", Data: make([]byte, fdbevents.MaxEventSize), Metadata: []byte("m")}),
			limit("event data and metadata", fdbevents.MaxEventSize+1, fdbevents.MaxEventSize, "bytes")},
		{"no events", func() error { _, err := m.store.Append(m.ctx, "a", fdbevents.Any); return err }, fdbevents.ErrNoEvents},
		{"no appends", func() error { _, err := m.store.AppendMany(m.ctx); return err }, fdbevents.ErrNoEvents},
		{"bad expected revision", func() error { _, err := m.store.Append(m.ctx, "a", -3, storetest.Event("x")); return err }, invalid("expected revision", "-3")},
		{"bad expected revision of a delete", func() error { return m.store.Delete(m.ctx, "a", -3) }, invalid("expected revision", "-3")},
		{"condition on everything", func() error {
			_, err := m.store.AppendIf(m.ctx, fdbevents.Condition{}, storetest.AppendTo("a", storetest.Event("x")))
			return err
		}, invalid("append condition", "")},
		{"negative limit", func() error {
			_, err := drain(m.store.ReadAll(m.ctx, fdbevents.Start, fdblayer.ReadOptions{Limit: -1}))
			return err
		}, invalid("read limit", "-1")},
		{"unknown index", func() error { return m.store.CreateIndex(m.ctx, "size", nil) }, invalid("index", "size")},
		{"ended context", func() error {
			ctx, cancel := context.WithCancel(m.ctx)
			cancel()
			_, err := m.store.Append(ctx, "a", fdbevents.Any, storetest.Event("x"))
			return err
		}, context.Canceled},
	}
	c := bad[rapid.IntRange(0, len(bad)-1).Draw(t, "bad")]
	wantError(t, c.what, c.do(), c.want)
}
