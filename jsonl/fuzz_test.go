package jsonl_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/fdbevents/fdbevents/jsonl"
)

// FuzzEntry verifies that each line of input is an event with a stream and a type, or an
// error that names the line.
func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"stream":"s","type":"t","data":{"a":1},"tags":["x"],"created":"2026-01-31T12:00:00Z"}`))
	f.Add([]byte(`{"id":"00000000-0000-4000-8000-000000000001","dataBase64":"e30=","data":{},"metadata":null}`))
	f.Add([]byte(`{"revision":1,"position":"00","erased":true,"type":7}`))
	f.Add([]byte("\n{\"stream\":\"s\",\"type\":\"t\"}\r\n\n{}"))
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, defaults := range []jsonl.Defaults{{}, {Stream: "s", Type: "t"}} {
			reader := jsonl.NewReader(bytes.NewReader(input), defaults)
			for last := 0; ; {
				e, err := reader.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					var line *jsonl.LineError
					if !errors.As(err, &line) || line.First <= last || line.Err.Error() == "" {
						t.Errorf("%q: error %v after line %d", input, err, last)
					}
					break
				}
				if e.Stream == "" || e.Event.Type == "" || e.Line <= last {
					t.Errorf("%q is read as %+v after line %d", input, e, last)
				}
				last = e.Line
			}
		}
	})
}
