package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
)

const someID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

func TestAppendOne(t *testing.T) {
	db := newDB(t)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("{\n  \"from\": \"file\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"--data", `{"a": 1}`}, `"contentType":"application/json","data":{"a": 1}`},
		{"", []string{"--data", `null`, "--id", someID}, `"contentType":"application/json","data":null`},
		{"", []string{"--data", ``, "--tag", "a,b", "--tag", " c "}, `"contentType":"application/json","tags":["a,b"," c "]`},
		{"[1]\n", []string{"--data", "-", "--metadata", `"m"`},
			`"contentType":"application/json","data":[1],"dataBase64":"WzFdCg==","metadata":"m"`},
		{"", []string{"--data", "@" + file}, `"contentType":"application/json","data":{"from":"file"},"dataBase64":"ewogICJmcm9tIjogImZpbGUiCn0K"`},
		{"", []string{"--data", "plain", "--content-type", "text/plain"}, `"contentType":"text/plain","dataBase64":"cGxhaW4="`},
	} {
		args := append([]string{"append", "s", "--type", "T", "--expected", []string{"none", "0", "1", "exists", "any", "4"}[i], db}, tt.args...)
		out := must(t, tt.stdin, args...)
		equal(t, "result", plain(out), fmt.Sprintf(`{"stream":"s","firstRevision":%d,"lastRevision":%d,"position":"POSITION"}`, i, i)+"\n")
		got := must(t, "", "read", "s", "--from", fmt.Sprint(i), "-o", "json", db)
		if !strings.Contains(strings.ReplaceAll(got, `"created":`+created(t, got)+`,`, ""), tt.want) &&
			!strings.Contains(strings.ReplaceAll(got, `,"created":`+created(t, got), ""), tt.want) {
			t.Errorf("event %d: got\n%swant in it\n%s", i, got, tt.want)
		}
	}
	out := must(t, "", "append", "s", "--type", "T", "--data", "null", "--id", someID, db)
	equal(t, "repeat", plain(out), `{"stream":"s","firstRevision":1,"lastRevision":1,"position":"POSITION","repeat":true}`+"\n")
	checkClean(t, db, "clean: 6 events in 1 stream, 6 ids, 2 tags\n")
}

// created returns the time of an event in JSON form, with its quotes.
func created(t *testing.T, event string) string {
	t.Helper()
	var ev struct{ Created json.RawMessage }
	if err := json.Unmarshal([]byte(event), &ev); err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return string(ev.Created)
}

func TestAppendOneRefused(t *testing.T) {
	db := newDB(t)
	must(t, "", "append", "s", "--type", "T", "--data", "1", "--id", someID, db)
	for _, tt := range []struct {
		args    []string
		code    int
		message string
	}{
		{[]string{"--data", "1", "--expected", "none"}, exitRefused, `wrong expected revision of stream "s": expected none, but its last revision is 0`},
		{[]string{"--data", "1", "--expected", "7"}, exitRefused, `wrong expected revision of stream "s": expected 7, but its last revision is 0`},
		{[]string{"--data", "2", "--id", someID}, exitRefused, `event id ` + someID + ` is already in stream "s" at revision 0, with other data; give new events new ids`},
		{[]string{"--data", "@no-such-file"}, exitFailure, "reading --data: open no-such-file: no such file or directory"},
	} {
		r := invoke(t, "", append([]string{"append", "s", "--type", "T", db}, tt.args...)...)
		if r.code != tt.code {
			t.Errorf("%q: exit code %d, want %d", tt.args, r.code, tt.code)
		}
		equal(t, fmt.Sprintf("%q", tt.args), r.errors, "fdbevents: "+tt.message+"\n")
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 8<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, "", "append", "s", "--type", "T", "--content-type", "x", "--data", "@"+large, db)
	if r.code != exitUsage || !strings.Contains(r.errors, "event data and metadata: 8388609 bytes, limit 8388608") {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	r = invoke(t, "", "append", "new", "--type", "T", "--data", "1", "--expected", "exists", db)
	equal(t, "message", r.errors, "fdbevents: wrong expected revision of stream \"new\": expected exists, but it has no events\n")
	checkClean(t, db, "clean: 1 event in 1 stream, 1 id, 0 tags\n")
}

func TestAppendLines(t *testing.T) {
	db := newDB(t)
	const in = `{"type":"A","data":{"n":1}}
   {"stream":"other","type":"B","id":"` + someID + `","metadata":[2],"tags":["x","y"],"contentType":"text/json","created":"2026-01-31T13:00:00.000000001+01:00"}

{"dataBase64":"AAE="}` + "\r\n" + `{"data":null,"metadataBase64":"","revision":99,"position":"whatever"}`
	r := invoke(t, in, "append", "main", "--type", "Default", db)
	if r.code != exitOK {
		t.Fatal(r.errors)
	}
	equal(t, "results", plain(r.out), `{"stream":"main","firstRevision":0,"lastRevision":0,"position":"POSITION"}
{"stream":"other","firstRevision":0,"lastRevision":0,"position":"POSITION"}
{"stream":"main","firstRevision":1,"lastRevision":1,"position":"POSITION"}
{"stream":"main","firstRevision":2,"lastRevision":2,"position":"POSITION"}
`)
	if !strings.HasPrefix(r.errors, "4 events in ") || !strings.HasSuffix(r.errors, "/s)\n") {
		t.Errorf("summary %q", r.errors)
	}
	got := must(t, "", "read", "main", "-o", "json", db)
	for i, want := range []string{
		`"type":"A","contentType":"application/json"`, `"type":"Default","contentType":"application/octet-stream"`, `"data":null`,
	} {
		if line := lines(got)[i]; !strings.Contains(line, want) {
			t.Errorf("event %d is %s, want in it %s", i, line, want)
		}
	}
	equal(t, "other", strings.ReplaceAll(must(t, "", "read", "other", "-o", "json", db), someID, "ID"), strings.ReplaceAll(
		`{"stream":"other","revision":0,"position":"`+appended(t, r.out)[1].Position.String()+`","id":"ID","type":"B","contentType":"text/json",`+
			`"tags":["x","y"],"created":"2026-01-31T12:00:00.000000001Z","metadata":[2]}`+"\n", someID, "ID"))

	file := filepath.Join(t.TempDir(), "in.ndjson")
	if err := os.WriteFile(file, []byte(`{"stream":"other","type":"B","id":"`+someID+`","metadata":[2],"tags":["x","y"],"contentType":"text/json"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r = invoke(t, "not this", "append", "--file", file, db)
	if r.code != exitOK || !strings.Contains(r.out, `"repeat":true`) || !strings.HasSuffix(r.errors, "; 1 already stored\n") {
		t.Errorf("exit code %d: %s%s", r.code, r.out, r.errors)
	}
	r = invoke(t, "", "append", "--file", file+"x", db)
	if r.code != exitFailure || !strings.HasSuffix(r.errors, "no such file or directory\n") {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	r = invoke(t, "", "append", db)
	if r.code != exitOK || r.out != "" || !strings.HasPrefix(r.errors, "0 events in ") {
		t.Errorf("empty input: exit code %d: %s%s", r.code, r.out, r.errors)
	}
	checkClean(t, db, "clean: 4 events in 2 streams, 4 ids, 2 tags\n")
}

// A bad line ends the run. The events before it are stored and printed; the lines after it
// are not read.
func TestAppendBadLine(t *testing.T) {
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
		{`{"data":1}`, `missing "type"; add it to the line or give --type`},
		{`{"type":"T","id":""}`, `id "": want a UUID: invalid UUID length: 0`},
		{`{"type":"T","id":"00000000-0000-0000-0000-000000000000"}`, `id "00000000-0000-0000-0000-000000000000": the zero UUID is not a valid id; leave it out to get a random one`},
		{`{"type":"T","created":"yesterday"}`, `created "yesterday": want a time like 2026-01-31T12:00:00Z`},
		{`{"type":"T","created":"1492-01-01T00:00:00Z"}`, `event 1 of 1 for stream "s": created "1492-01-01 00:00:00 +0000 UTC": must lie in the years 1678 to 2261`},
		{`{"type":"T","data":1,"dataBase64":"Mg=="}`, "data and dataBase64 differ; give only one of them"},
		{`{"type":"T","dataBase64":"%"}`, "near byte 29: illegal base64 data at input byte 0"},
		{`{"type":"T","stream":"$all"}`, `stream name "$all": names that begin with $ are reserved for virtual streams`},
		{`{"type":"T","tags":["a","a"]}`, `event 1 of 1 for stream "s": tag "a": is given twice on one event`},
	} {
		t.Run(tt.line, func(t *testing.T) {
			db := newDB(t)
			in := "{\"type\":\"T\"}\n\n{\"type\":\"T\"}\n" + tt.line + "\n{\"type\":\"T\"}\n"
			r := invoke(t, in, "append", "s", db)
			if r.code != exitFailure {
				t.Errorf("exit code %d", r.code)
			}
			summary, message, _ := strings.Cut(r.errors, "\n")
			equal(t, "message", message, "fdbevents: line 4: "+tt.message+"; 2 events stored before it, up to line 3\n")
			if !strings.HasPrefix(summary, "2 events in ") || len(lines(r.out)) != 2 {
				t.Errorf("summary %q, results\n%s", summary, r.out)
			}
			checkClean(t, db, "clean: 2 events in 1 stream, 2 ids, 0 tags\n")
		})
	}
}

func TestAppendBadFirstLine(t *testing.T) {
	db := newDB(t)
	r := invoke(t, `{"type":"T"}`, "append", db)
	_, message, _ := strings.Cut(r.errors, "\n")
	equal(t, "message", message, "fdbevents: line 1: missing \"stream\"; add it to the line or name a STREAM; 0 events stored before it\n")
}

// Lines that wait for the rest of their batch are not stored if it does not come, so that
// the whole input can be appended again in the same batches.
func TestAppendBatchCutOff(t *testing.T) {
	db := newDB(t)
	var in strings.Builder
	for i := range 5 {
		fmt.Fprintf(&in, `{"type":"T","id":"00000000-0000-0000-0000-00000000000%d"}`+"\n", i+1)
	}
	r := invoke(t, in.String()+"bad\n", "append", "s", "--batch", "3", db)
	_, message, _ := strings.Cut(r.errors, "\n")
	equal(t, "message", message, "fdbevents: line 6: not JSON: invalid character 'b' looking for beginning of value (byte 1); "+
		"3 events stored before it, up to line 3; 2 events from line 4 on not stored, because their batch is incomplete\n")
	checkClean(t, db, "clean: 3 events in 1 stream, 3 ids, 0 tags\n")
	r = invoke(t, in.String()+`{"type":"T"}`, "append", "s", "--batch", "3", db)
	if r.code != exitOK || !strings.HasSuffix(r.errors, ", in 2 appends; 3 already stored\n") {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	checkClean(t, db, "clean: 6 events in 1 stream, 6 ids, 0 tags\n")
}

func TestAppendBatch(t *testing.T) {
	db := newDB(t)
	var in strings.Builder
	for i, stream := range strings.Fields("a a a b a a a a a") {
		fmt.Fprintf(&in, `{"stream":%q,"type":"T","data":%d}`+"\n", stream, i)
	}
	r := invoke(t, in.String(), "append", "--batch", "3", "--expected", "none", db)
	equal(t, "results", plain(r.out), `{"stream":"a","firstRevision":0,"lastRevision":2,"position":"POSITION"}
{"stream":"b","firstRevision":0,"lastRevision":0,"position":"POSITION"}
{"stream":"a","firstRevision":3,"lastRevision":5,"position":"POSITION"}
{"stream":"a","firstRevision":6,"lastRevision":7,"position":"POSITION"}
`)
	// Each append is one transaction, so its events share a versionstamp.
	stamps := make(map[string]int)
	for _, line := range lines(must(t, "", "read", "--all", db)) {
		stamps[line[:20]]++
	}
	if len(stamps) != 4 {
		t.Errorf("stamps %v", stamps)
	}
	// A batch that would exceed the limit of an append is split.
	half := strings.Repeat("x", 4<<20)
	out := must(t, strings.Repeat(fmt.Sprintf(`{"type":"T","data":"%s"}`+"\n", half), 2), "append", "c", "--batch", "10", db)
	if len(lines(out)) != 2 {
		t.Errorf("large events got\n%s", out)
	}
	// If the store's own limit is reached first, the message says what to do.
	tags := make([]string, 64)
	for i := range tags {
		tags[i] = fmt.Sprintf(`"%0250d"`, i)
	}
	r = invoke(t, strings.Repeat(fmt.Sprintf(`{"type":"T","tags":[%s]}`+"\n", strings.Join(tags, ",")), 500), "append", "d", "--batch", "500", db)
	if !strings.Contains(r.errors, "fdbevents: lines 1 to 500: append with its stream names and tags, as stored: ") ||
		!strings.Contains(r.errors, ", limit 9500000; a smaller --batch helps; 0 events stored before it\n") {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	checkClean(t, db, "clean: 11 events in 3 streams, 11 ids, 0 tags\n")
}

// The expectation is for the first append to a stream; each later append continues from the
// one before.
func TestAppendLinesExpected(t *testing.T) {
	db := newDB(t)
	const in = `{"stream":"a","type":"T"}
{"stream":"b","type":"T"}
{"stream":"a","type":"T"}
`
	r := invoke(t, in, "append", "--expected", "none", db)
	if r.code != exitOK || len(lines(r.out)) != 3 {
		t.Fatalf("exit code %d: %s", r.code, r.errors)
	}
	r = invoke(t, in, "append", "--expected", "none", db)
	if r.code != exitRefused || r.out != "" {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
	_, message, _ := strings.Cut(r.errors, "\n")
	equal(t, "message", message, "fdbevents: line 1: wrong expected revision of stream \"a\": expected none, but its last revision is 1; 0 events stored before it\n")
	r = invoke(t, in, "append", "--expected", "1", db)
	if r.code != exitRefused || len(lines(r.out)) != 1 {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
	_, message, _ = strings.Cut(r.errors, "\n")
	equal(t, "message", message, "fdbevents: line 2: wrong expected revision of stream \"b\": expected 1, but its last revision is 0; 1 event stored before it, up to line 1\n")
	r = invoke(t, in, "append", "--expected", "exists", db)
	if r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	checkClean(t, db, "clean: 7 events in 2 streams, 7 ids, 0 tags\n")
}

// Many appends are under way at once. Results and revisions are in input order, and with
// --in-order so is the log.
func TestAppendManyLines(t *testing.T) {
	const n, streams = 2000, 7
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, `{"stream":"s-%d","type":"T","data":%d}`+"\n", i%streams, i)
	}
	db := newDB(t)
	for i, r := range appended(t, must(t, in.String(), "append", db)) {
		if r.Stream != fmt.Sprintf("s-%d", i%streams) || r.FirstRevision != int64(i/streams) {
			t.Fatalf("result %d is %+v", i, r)
		}
	}
	checkClean(t, db, fmt.Sprintf("clean: %d events in %d streams, %d ids, 0 tags\n", n, streams, n))

	db = newDB(t)
	must(t, strings.Join(lines(in.String())[:100], "\n"), "append", "--in-order", db)
	for i, line := range lines(must(t, "", "read", "--all", db)) {
		if !strings.HasSuffix(line, fmt.Sprintf(" %d", i)) {
			t.Fatalf("event %d is %s", i, line)
		}
	}
}

// When an append is refused, the appends under way behind it are still stored, and the
// message accounts for them.
func TestAppendRefusedAmongMany(t *testing.T) {
	db := newDB(t)
	must(t, "", "append", "s", "--type", "T", "--data", "1", "--id", someID, db)
	var in strings.Builder
	for i := range 50 {
		if i == 10 {
			in.WriteString(`{"stream":"s","type":"T","data":2,"id":"` + someID + `"}` + "\n")
		}
		fmt.Fprintf(&in, `{"stream":"t-%d","type":"T"}`+"\n", i)
	}
	r := invoke(t, in.String(), "append", db)
	if r.code != exitRefused {
		t.Errorf("exit code %d", r.code)
	}
	stored := len(lines(r.out))
	want := `line 11: event id ` + someID + ` is already in stream "s" at revision 0, with other data; give new events new ids; 10 events stored before it, up to line 10`
	if behind := stored - 10; behind > 0 {
		want += fmt.Sprintf("; of %d events under way after it, %d are stored", behind, behind)
	}
	_, message, _ := strings.Cut(r.errors, "\n")
	equal(t, "message", message, "fdbevents: "+want+"\n")
	checkClean(t, db, fmt.Sprintf("clean: %d events in %d streams, %d ids, 0 tags\n", stored+1, stored+1, stored+1))
}

func TestAppendLongLines(t *testing.T) {
	db := newDB(t)
	data := bytes.Repeat([]byte{0, 1, 2, 255}, fdbevents.MaxEventSize/4)
	long := `{"type":"T","dataBase64":"` + base64.StdEncoding.EncodeToString(data) + `"}`
	must(t, `{"type":"T"}`+"\n"+long+"\n"+`{"type":"T"}`, "append", "s", db)
	got := must(t, "", "read", "s", "--from", "1", "--limit", "1", "-o", "json", db)
	var ev struct{ DataBase64 []byte }
	if err := json.Unmarshal([]byte(got), &ev); err != nil || !bytes.Equal(ev.DataBase64, data) {
		t.Errorf("read back %d bytes of %d: %v", len(ev.DataBase64), len(data), err)
	}
	// The output can be appended again, and gives the same bytes.
	copied := newDB(t)
	must(t, must(t, "", "read", "--all", "-o", "json", db), "append", copied)
	equal(t, "copy", withoutPositions(must(t, "", "read", "--all", "-o", "json", copied)), withoutPositions(must(t, "", "read", "--all", "-o", "json", db)))
	checkClean(t, copied, "clean: 3 events in 1 stream, 3 ids, 0 tags\n")
}

func TestAppendLineTooLong(t *testing.T) {
	db := newDB(t)
	r := invoke(t, `{"type":"T"}`+"\n"+`{"type":"T","data":"`+strings.Repeat("x", 32<<20)+`"}`, "append", "s", db)
	if r.code != exitFailure {
		t.Errorf("exit code %d", r.code)
	}
	_, message, _ := strings.Cut(r.errors, "\n")
	equal(t, "message", message, "fdbevents: line 2: longer than 33554432 bytes; an event's data and metadata are limited to 8 MiB; "+
		"is the input one JSON object per line?; 1 event stored before it, up to line 1\n")
}

// A caller that feeds one line at a time sees each result before the next line.
func TestAppendInteractive(t *testing.T) {
	db := newDB(t)
	s := start(t, "append", "s", "--type", "T", db)
	for i := range 3 {
		s.feed("{}")
		equal(t, "result", plain(s.line()), fmt.Sprintf(`{"stream":"s","firstRevision":%d,"lastRevision":%d,"position":"POSITION"}`, i, i))
	}
	s.stop()
	if code := s.wait(); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	_, message, _ := strings.Cut(s.errors(), "\n")
	equal(t, "message", message, "fdbevents: stopped: context canceled; 3 events stored before it, up to line 3\n")
	checkClean(t, db, "clean: 3 events in 1 stream, 3 ids, 0 tags\n")
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// If results cannot be printed, the run ends and says what is stored.
func TestAppendBrokenOutput(t *testing.T) {
	db := newDB(t)
	var stderr strings.Builder
	code := run(t.Context(), []string{"append", "s", "--type", "T", "--in-order", db}, strings.NewReader("{}\n{}\n{}\n"), brokenWriter{errors.New("disk full")}, &stderr)
	if code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	_, message, _ := strings.Cut(stderr.String(), "\n")
	if !strings.HasPrefix(message, "fdbevents: printing results: disk full; ") {
		t.Errorf("message %q", message)
	}
	stderr.Reset()
	code = run(t.Context(), []string{"append", "s", "--type", "T", "--data", "1", db}, nil, brokenWriter{errors.New("disk full")}, &stderr)
	if code != exitFailure || !strings.Contains(stderr.String(), "the event is stored at revision ") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	checkClean(t, db, "")
}
