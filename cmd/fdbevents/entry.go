package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
)

// entry is an event of the input and where it shall go.
type entry struct {
	// line is its number in the input, from 1.
	line   int
	stream string
	event  fdblayer.NewEvent
}

// size is what the limit of an append counts.
func (e *entry) size() int { return len(e.event.Data) + len(e.event.Metadata) }

// entryDefaults stand in for what a line leaves out.
type entryDefaults struct {
	stream, eventType string
}

// jsonEntry is a line of the input. Its fields are those that "read -o json"
// prints; revision and position mean nothing for a new event.
type jsonEntry struct {
	Stream         string          `json:"stream"`
	Revision       json.RawMessage `json:"revision"`
	Position       json.RawMessage `json:"position"`
	ID             *string         `json:"id"`
	Type           string          `json:"type"`
	ContentType    string          `json:"contentType"`
	Tags           []string        `json:"tags"`
	Created        string          `json:"created"`
	Data           json.RawMessage `json:"data"`
	DataBase64     []byte          `json:"dataBase64"`
	Metadata       json.RawMessage `json:"metadata"`
	MetadataBase64 []byte          `json:"metadataBase64"`
	// Erased is for events that have no data any more; they are as good as any.
	Erased bool `json:"erased"`
}

const (
	entryFields     = "stream, type, id, data, dataBase64, metadata, metadataBase64, tags, contentType, created"
	jsonContentType = "application/json"
)

// parseEntry reads one line.
func parseEntry(line []byte, defaults entryDefaults) (e entry, err error) {
	var in jsonEntry
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return e, explainJSON(err, decoder.InputOffset())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("more follows after the JSON object; write one object a line")
	}
	e.stream = in.Stream
	if e.stream == "" {
		e.stream = defaults.stream
	}
	if e.stream == "" {
		return e, errors.New(`it has no "stream", and the command line names no STREAM to use instead`)
	}
	e.event.Type = in.Type
	if in.Type == "" {
		e.event.Type = defaults.eventType
	}
	if e.event.Type == "" {
		return e, errors.New(`it has no "type", and the command line has no --type to use instead`)
	}
	if in.ID != nil {
		if e.event.ID, err = parseID(*in.ID); err != nil {
			return e, err
		}
	}
	if in.Created != "" {
		if e.event.Created, err = time.Parse(time.RFC3339Nano, in.Created); err != nil {
			return e, fmt.Errorf("created %q: want a time like 2026-01-31T12:00:00Z", in.Created)
		}
	}
	if e.event.Data, err = payload("data", in.Data, in.DataBase64); err != nil {
		return e, err
	}
	if e.event.Metadata, err = payload("metadata", in.Metadata, in.MetadataBase64); err != nil {
		return e, err
	}
	e.event.Tags = in.Tags
	e.event.ContentType = in.ContentType
	if in.ContentType == "" && in.DataBase64 == nil {
		e.event.ContentType = jsonContentType
	}
	return e, nil
}

// payload chooses between the two forms of data or metadata. Where "read" prints
// both, the base64 is exact and the JSON is the same without line breaks.
func payload(name string, value json.RawMessage, exact []byte) ([]byte, error) {
	switch {
	case exact == nil:
		return value, nil
	case value == nil:
		return exact, nil
	}
	var a, b bytes.Buffer
	if json.Compact(&a, value) != nil || json.Compact(&b, exact) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		return nil, fmt.Errorf("%s and %sBase64 differ; give one of them", name, name)
	}
	return exact, nil
}

func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, fmt.Errorf("id %q: want a UUID: %w", text, err)
	}
	if id == uuid.Nil {
		return id, fmt.Errorf("id %q: the UUID of zeros is no id; leave it out to get a random one", text)
	}
	return id, nil
}

// explainJSON says what the decoder's error means for a line of the input.
func explainJSON(err error, offset int64) error {
	var mismatch *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch field, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case unknown:
		return fmt.Errorf("unknown field %s; known are %s", field, entryFields)
	case errors.As(err, &mismatch) && mismatch.Field == "":
		return fmt.Errorf("it is a JSON %s, want an object", mismatch.Value)
	case errors.As(err, &mismatch):
		return fmt.Errorf("field %q is a JSON %s, want %s", mismatch.Field, mismatch.Value, wanted(mismatch.Field))
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not JSON: %w (byte %d)", syntax, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is not JSON: the line ends within the object")
	}
	return fmt.Errorf("near byte %d: %w", offset, err)
}

// wanted says what a field of jsonEntry takes.
func wanted(field string) string {
	if field == "tags" || strings.HasPrefix(field, "tags.") {
		return "an array of strings"
	}
	return "a string"
}
