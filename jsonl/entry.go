package jsonl

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// Entry is an event to append. It shares no memory with the reader.
type Entry struct {
	// Line is the line of the input that holds the event, from 1.
	Line int
	// Stream is the stream to append to.
	Stream string
	Event  fdbevents.EventData
}

// Defaults replace fields that a line leaves out. An empty default replaces nothing.
type Defaults struct {
	Stream, Type string
}

// MissingError reports a line without a required field for which there is no default.
type MissingError struct {
	// Field is "stream" or "type".
	Field string
}

func (e *MissingError) Error() string { return fmt.Sprintf("missing %q", e.Field) }

// ContentType is the content type of JSON data.
const ContentType = "application/json"

// jsonEntry is a line of the input. It has all fields that AppendEvent writes, although
// revision and position mean nothing for a new event.
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
	// Erased is accepted and ignored: events may be empty.
	Erased bool `json:"erased"`
}

// entryFields are the fields that mean something for a new event.
const entryFields = "stream, type, id, data, dataBase64, metadata, metadataBase64, tags, contentType, created"

// parse reads one line. The caller sets the entry's Line.
func parse(line []byte, defaults Defaults) (e Entry, err error) {
	var in jsonEntry
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return e, explainJSON(err, decoder.InputOffset())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("unexpected data after the JSON object; write one object per line")
	}
	if e.Stream = cmp.Or(in.Stream, defaults.Stream); e.Stream == "" {
		return e, &MissingError{"stream"}
	}
	if e.Event.Type = cmp.Or(in.Type, defaults.Type); e.Event.Type == "" {
		return e, &MissingError{"type"}
	}
	if in.ID != nil {
		if e.Event.ID, err = ParseID(*in.ID); err != nil {
			return e, err
		}
	}
	if in.Created != "" {
		if e.Event.Created, err = time.Parse(time.RFC3339Nano, in.Created); err != nil {
			return e, fmt.Errorf("created %q: want a time like 2026-01-31T12:00:00Z", in.Created)
		}
	}
	if e.Event.Data, err = payload("data", in.Data, in.DataBase64); err != nil {
		return e, err
	}
	if e.Event.Metadata, err = payload("metadata", in.Metadata, in.MetadataBase64); err != nil {
		return e, err
	}
	e.Event.Tags = in.Tags
	e.Event.ContentType = in.ContentType
	if in.ContentType == "" && in.DataBase64 == nil {
		e.Event.ContentType = ContentType
	}
	return e, nil
}

// payload chooses between the two forms of data or metadata. If AppendEvent wrote both,
// the base64 form is exact, and the JSON form is the same without line breaks.
func payload(name string, value json.RawMessage, exact []byte) ([]byte, error) {
	switch {
	case exact == nil:
		return value, nil
	case value == nil:
		return exact, nil
	}
	var a, b bytes.Buffer
	if json.Compact(&a, value) != nil || json.Compact(&b, exact) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		return nil, fmt.Errorf("%s and %sBase64 differ; give only one of them", name, name)
	}
	return exact, nil
}

// ParseID parses the id of an event. It refuses the zero UUID, which means "no id" to the
// store.
func ParseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, fmt.Errorf("id %q: want a UUID: %w", text, err)
	}
	if id == uuid.Nil {
		return id, fmt.Errorf("id %q: the zero UUID is not a valid id; leave it out to get a random one", text)
	}
	return id, nil
}

// explainJSON turns an error of the decoder into one about a line of the input.
func explainJSON(err error, offset int64) error {
	var mismatch *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch field, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case unknown:
		return fmt.Errorf("unknown field %s; known fields are %s", field, entryFields)
	case errors.As(err, &mismatch) && mismatch.Field == "":
		return fmt.Errorf("got a JSON %s, want an object", mismatch.Value)
	case errors.As(err, &mismatch):
		return fmt.Errorf("field %q is a JSON %s, want %s", mismatch.Field, mismatch.Value, wanted(mismatch.Field))
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON: %w (byte %d)", syntax, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not JSON: the line ends inside the object")
	}
	return fmt.Errorf("near byte %d: %w", offset, err)
}

// wanted names the type of a field of jsonEntry.
func wanted(field string) string {
	if field == "tags" || strings.HasPrefix(field, "tags.") {
		return "an array of strings"
	}
	return "a string"
}
