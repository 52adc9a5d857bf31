package jsonl_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/jsonl"
)

// readAll reads an input to its end or its first error.
func readAll(input io.Reader, d jsonl.Defaults) (entries []jsonl.Entry, err error) {
	reader := jsonl.NewReader(input, d)
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
}

func TestReader(t *testing.T) {
	const in = `{"type":"A","data":{"n" : 1.0}}
   {"stream":"other","type":"B","id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","metadata":[2],"tags":["x","y"],"contentType":"text/json","created":"2026-01-31T13:00:00.000000001+01:00"}

{"dataBase64":"AAE="}` + "\r\n" + `{"data":null,"metadataBase64":"","revision":99,"position":"whatever","erased":true}`
	want := []string{
		"1 main A application/json [] <{\"n\" : 1.0}> <>",
		"2 other B text/json [x y] <> <[2]>",
		"4 main Default  [] <\x00\x01> <>",
		"5 main Default application/json [] <null> <>",
	}
	for name, input := range map[string]io.Reader{"whole": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in))} {
		entries, err := readAll(input, jsonl.Defaults{Stream: "main", Type: "Default"})
		if err != nil || len(entries) != len(want) {
			t.Fatalf("%s: %d entries, %v", name, len(entries), err)
		}
		for i, e := range entries {
			ev := e.Event
			if got := fmt.Sprintf("%d %s %s %s %v <%s> <%s>", e.Line, e.Stream, ev.Type, ev.ContentType, ev.Tags, ev.Data, ev.Metadata); got != want[i] {
				t.Errorf("%s: got  %s\nwant %s", name, got, want[i])
			}
		}
		if ev := entries[1].Event; ev.ID.String() != "6ba7b810-9dad-11d1-80b4-00c04fd430c8" || !ev.Created.Equal(time.Date(2026, 1, 31, 12, 0, 0, 1, time.UTC)) {
			t.Errorf("%s: id %s, created %s", name, ev.ID, ev.Created)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, tt := range []struct{ line, message string }{
		{`{"type":"T"`, "not JSON: the line ends inside the object"},
		{`{"type":T}`, "not JSON: invalid character 'T' looking for beginning of value (byte 9)"},
		{`hello`, "not JSON: invalid character 'h' looking for beginning of value (byte 1)"},
		{`[1]`, "got a JSON array, want an object"},
		{`7`, "got a JSON number, want an object"},
		{`{"type":"T"} {"type":"T"}`, "unexpected data after the JSON object; write one object per line"},
		{`{"type":"T","datum":1}`, `unknown field "datum"; known fields are stream, type, id, data, dataBase64, metadata, metadataBase64, tags, contentType, created`},
		{`{"type":7}`, `field "type" is a JSON number, want a string`},
		{`{"type":"T","tags":"x"}`, `field "tags" is a JSON string, want an array of strings`},
		{`{"type":"T","tags":[1]}`, `field "tags" is a JSON number, want an array of strings`},
		{`{"data":1}`, `missing "type"`},
		{`{"type":"T","id":""}`, `id "": want a UUID: invalid UUID length: 0`},
		{`{"type":"T","id":"00000000-0000-0000-0000-000000000000"}`, `id "00000000-0000-0000-0000-000000000000": the zero UUID is not a valid id; leave it out to get a random one`},
		{`{"type":"T","created":"yesterday"}`, `created "yesterday": want a time like 2026-01-31T12:00:00Z`},
		{`{"type":"T","data":1,"dataBase64":"Mg=="}`, "data and dataBase64 differ; give only one of them"},
		{`{"type":"T","metadata":1,"metadataBase64":"Mg=="}`, "metadata and metadataBase64 differ; give only one of them"},
		{`{"type":"T","dataBase64":"%"}`, "near byte 29: illegal base64 data at input byte 0"},
		{`{"type":"T","data":"` + strings.Repeat("x", jsonl.MaxLine) + `"}`,
			"longer than 33554432 bytes; an event's data and metadata are limited to 8 MiB; is the input one JSON object per line?"},
	} {
		t.Run(tt.line[:min(len(tt.line), 40)], func(t *testing.T) {
			reader := jsonl.NewReader(strings.NewReader("\n{\"type\":\"T\"}\n"+tt.line+"\n{\"type\":\"T\"}\n"), jsonl.Defaults{Stream: "s"})
			if e, err := reader.Next(); err != nil || e.Line != 2 {
				t.Fatalf("line %d, %v", e.Line, err)
			}
			for range 2 { // the error is final
				_, err := reader.Next()
				var line *jsonl.LineError
				if !errors.As(err, &line) || line.First != 3 || line.Last != 3 || err.Error() != "line 3: "+tt.message {
					t.Errorf("got  %v\nwant line 3: %s", err, tt.message)
				}
			}
		})
	}
}

func TestReaderMissing(t *testing.T) {
	for line, want := range map[string]string{`{"type":"T"}`: "stream", `{"stream":"s"}`: "type"} {
		_, err := readAll(strings.NewReader(line), jsonl.Defaults{})
		var missing *jsonl.MissingError
		if !errors.As(err, &missing) || missing.Field != want {
			t.Errorf("%s: got %v, want that %s is missing", line, err, want)
		}
	}
}

// An input that fails is an error, and its last line, which may be incomplete, is not an
// event.
func TestReaderBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	entries, err := readAll(io.MultiReader(strings.NewReader("{\"type\":\"T\"}\n{\"type\":\"T\"}"), iotest.ErrReader(broken)), jsonl.Defaults{Stream: "s"})
	if len(entries) != 1 || !errors.Is(err, broken) {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// The largest event fits into a line in every form.
func TestReaderLongLines(t *testing.T) {
	var out strings.Builder
	w := jsonl.NewWriter(&out)
	sizes := []int{}
	for _, data := range []string{strings.Repeat("\xff", fdbevents.MaxEventSize), `"` + strings.Repeat(`é`, fdbevents.MaxEventSize/2-1) + `"`, "[\n" + strings.Repeat(" ", fdbevents.MaxEventSize-3) + "]"} {
		sizes = append(sizes, len(data))
		if err := w.Write(&fdbevents.Event{Stream: "s", Type: "T", Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	// The events have zero ids, which Next would refuse.
	in := strings.ReplaceAll(out.String(), `"id":"00000000-0000-0000-0000-000000000000",`, "")
	entries, err := readAll(strings.NewReader(in), jsonl.Defaults{})
	if err != nil || len(entries) != len(sizes) {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, e := range entries {
		if len(e.Event.Data) != sizes[i] {
			t.Errorf("event %d has %d bytes, want %d", i, len(e.Event.Data), sizes[i])
		}
	}
}
