package jsonl_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestWriter(t *testing.T) {
	at := time.Date(2026, 1, 31, 13, 0, 0, 5e8, time.FixedZone("", 3600))
	id := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	position, err := fdbevents.ParsePosition("0006479bdc1fea0f00000003")
	if err != nil {
		t.Fatal(err)
	}
	event := func(stream, data, metadata string, tags ...string) fdbevents.Event {
		return fdbevents.Event{Stream: stream, Revision: 7, Position: position, ID: id, Type: "T", ContentType: "x/y", Tags: tags, Created: at, Data: []byte(data), Metadata: []byte(metadata)}
	}
	erased := event("s", "", "")
	erased.Erased = true
	for _, tt := range []struct {
		ev           fdbevents.Event
		stream, rest string
	}{
		{event("order-1", `{"items":3}`, `[1]`), `"order-1"`, `,"data":{"items":3},"metadata":[1]`},
		{event("a <b> & \"ü\"", "null", "", "x", `q"q`), `"a <b> & \"ü\""`, `,"data":null`},
		{event("s", "{\"a\":\n1}", ""), `"s"`, `,"data":{"a":1},"dataBase64":"eyJhIjoKMX0="`},
		{event("s", " 1 ", "\xff"), `"s"`, `,"data":1,"dataBase64":"IDEg","metadataBase64":"/w=="`},
		{event("s", `{"dup":1,"dup":2,"sp" : [ 1.0 ]}`, ""), `"s"`, `,"data":{"dup":1,"dup":2,"sp" : [ 1.0 ]}`},
		{erased, `"s"`, `,"erased":true`},
	} {
		var out strings.Builder
		w := jsonl.NewWriter(&out)
		if err := errors.Join(w.Write(&tt.ev), w.Flush()); err != nil {
			t.Fatal(err)
		}
		tags := ""
		if len(tt.ev.Tags) > 0 {
			tags = `,"tags":["x","q\"q"]`
		}
		want := `{"stream":` + tt.stream + `,"revision":7,"position":"0006479bdc1fea0f00000003","id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","type":"T","contentType":"x/y"` +
			tags + `,"created":"2026-01-31T12:00:00.5Z"` + tt.rest + "}\n"
		if out.String() != want {
			t.Errorf("got  %swant %s", &out, want)
		}
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriterErrors(t *testing.T) {
	w := jsonl.NewWriter(full{})
	ev := &fdbevents.Event{Stream: "s", Type: "T", Data: make([]byte, 1<<20)}
	for range 2 {
		if err := w.Write(ev); !errors.Is(err, errFull) {
			t.Errorf("Write: %v", err)
		}
		if err := w.Flush(); !errors.Is(err, errFull) {
			t.Errorf("Flush: %v", err)
		}
	}
}

// A Reader reads back exactly the event that a Writer wrote.
func TestRoundTrip(t *testing.T) {
	payload := rapid.OneOf(
		rapid.SliceOf(rapid.Byte()),
		rapid.Map(rapid.StringOf(rapid.RuneFrom([]rune("{}[]\":,1.eE- \n\r\ttrufalsn\\\u2028<ü"))), func(s string) []byte { return []byte(s) }),
		rapid.Map(rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.Float64())), func(v map[string][]float64) []byte {
			b, _ := json.MarshalIndent(v, "", " ")
			return b
		}),
		rapid.SampledFrom([][]byte{[]byte("null"), []byte("{}"), []byte(" 1"), []byte("1\n"), {0xff}}))
	text := rapid.StringN(1, 20, -1)
	rapid.Check(t, func(t *rapid.T) {
		var events []fdbevents.Event
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			events = append(events, fdbevents.Event{
				Stream: text.Draw(t, "stream"), Type: text.Draw(t, "type"), ContentType: text.Draw(t, "content type"),
				ID: uuid.New(), Tags: rapid.SliceOfN(text, 0, 3).Draw(t, "tags"),
				Created: time.Unix(0, rapid.Int64().Draw(t, "created")).UTC(),
				Data:    payload.Draw(t, "data"), Metadata: payload.Draw(t, "metadata"),
			})
		}
		var out strings.Builder
		w := jsonl.NewWriter(&out)
		for i := range events {
			if err := w.Write(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		entries, err := readAll(strings.NewReader(out.String()), jsonl.Defaults{})
		if err != nil || len(entries) != len(events) {
			t.Fatalf("%s: %d entries, %v", &out, len(entries), err)
		}
		for i, e := range entries {
			ev, want := e.Event, events[i]
			if e.Line != i+1 || e.Stream != want.Stream || ev.Type != want.Type || ev.ContentType != want.ContentType || ev.ID != want.ID ||
				!slices.Equal(ev.Tags, want.Tags) || !ev.Created.Equal(want.Created) || !bytes.Equal(ev.Data, want.Data) || !bytes.Equal(ev.Metadata, want.Metadata) {
				t.Errorf("line %d\n%sis read as %+v", i+1, &out, e)
			}
		}
	})
}
