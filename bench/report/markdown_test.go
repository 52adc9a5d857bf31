package report

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite testdata")

// small returns a report with rows of each kind: subjects, limits, peers, and systems
// that are relaxed, are missing, do not offer an operation, or failed.
func small() *harness.Report {
	r := reporttest.Steady(3).Report(harness.BaseAppend, harness.LoneAppend, harness.ReadWarm, harness.LiveHundred, harness.OpenMillion)
	kept := map[string]bool{embedded: true, pebble: true, jetStream: true, redis + "-everysec": true, messageDB: true, onFDB: true, foundationDB: true}
	var systems []harness.SystemReport
	for _, s := range r.Systems {
		if s.Name == messageDB {
			s.Missing = "no postgres | found\nin <PATH>"
		}
		if kept[s.Name] {
			systems = append(systems, s)
		}
	}
	r.Systems = systems
	var results []harness.Result
	for _, x := range r.Results {
		if !kept[x.System] || x.System == messageDB {
			continue
		}
		if x.Workload == harness.LiveHundred && x.System == pebble {
			x.Samples, x.Error = nil, harness.NotOffered
		}
		if x.Workload == harness.ReadWarm && x.System == jetStream {
			x.Samples, x.Error = x.Samples[:1], "turn 2: the server | went\naway"
		}
		if x.Workload.Operation == harness.Open {
			for i := range x.Samples {
				s := &x.Samples[i]
				s.Events, s.Bytes, s.BytesWritten, s.Allocations = 0, 0, 0, 0
			}
		}
		for i := range x.Samples {
			// Make turns differ by a predictable amount.
			x.Samples[i].Events += int64(i) * x.Samples[i].Events / 10
		}
		results = append(results, x)
	}
	r.Results = results
	return r
}

func TestMarkdown(t *testing.T) {
	golden(t, "report.md", func(b *bytes.Buffer) error {
		return Markdown(b, small(), []Plot{{Title: "Appends by system", Path: "plots/append-systems.svg"}})
	})
}

// golden compares the output with a file of testdata, which -update rewrites, and
// checks that it is sound.
func golden(t *testing.T, name string, write func(*bytes.Buffer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	sound(t, b.String())
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the output differs from %s; if it should: go test ./bench/report -update, and read the diff. Got\n%s", file, &b)
	}
}

var unescaped = regexp.MustCompile(`(^|[^\\])\|`)

// sound checks that the rows of each table have equally many cells and are equally
// wide, and that all numbers are valid.
func sound(t *testing.T, text string) {
	t.Helper()
	if m := regexp.MustCompile(`NaN|Inf\b|%!`).FindString(text); m != "" {
		t.Errorf("the text contains %q", m)
	}
	cells, width := 0, 0
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		n, w := len(unescaped.FindAllString(line, -1)), utf8.RuneCountInString(line)
		if cells == 0 {
			cells, width = n, w
		}
		if n != cells || w != width {
			t.Errorf("%d cells, %d characters wide, want %d cells, %d wide: %s", n, w, cells, width, line)
		}
	}
}

// TestMarkdownOfLittle checks that a report in which nothing was done, or nothing took
// time, can be written.
func TestMarkdownOfLittle(t *testing.T) {
	zeros := &harness.Report{Systems: reporttest.Systems}
	for _, w := range []harness.Workload{harness.BaseAppend, harness.LiveHundred, harness.OpenMillion, {Operation: "strange"}, {}} {
		for _, s := range reporttest.Systems {
			zeros.Results = append(zeros.Results, harness.Result{Workload: w, System: s.Name, Samples: []harness.Sample{{}, {Seconds: 1}, {Events: 1}}})
		}
	}
	none := &harness.Report{Results: []harness.Result{{Workload: harness.BaseAppend, System: embedded}}}
	for _, r := range []*harness.Report{{}, none, zeros, reporttest.Steady(1).Report(harness.BaseAppend, harness.LiveHundred), reporttest.Large()} {
		var b strings.Builder
		if err := Markdown(&b, r, nil); err != nil {
			t.Fatal(err)
		}
		sound(t, b.String())
		if again := new(strings.Builder); Markdown(again, r, nil) != nil || again.String() != b.String() {
			t.Error("the same report was written differently")
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrors(t *testing.T) {
	for _, err := range []error{Markdown(full{}, small(), nil), PrintChanges(full{}, nil)} {
		if err == nil || !strings.HasSuffix(err.Error(), ": disk full") {
			t.Errorf("error is %v", err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Number(83_214), "83,200"},
		{Number(1_234_567), "1,230,000"},
		{Number(999.6), "1,000"},
		{Number(99.96), "100"},
		{Number(0.999), "1.00"},
		{Number(1e-9), none},
		{Number(14.26), "14.3"},
		{Number(1), "1.00"},
		{Number(0.194), "0.19"},
		{Number(0.0123), "0.012"},
		{Number(0), none},
		{Number(-1), none},
		{byteText(256), "256 B"},
		{byteText(1.25 * (1 << 20)), "1.25 MiB"},
		{durationText(12.34), "12.3 µs"},
		{durationText(190), "0.19 ms"},
		{durationText(1_300_000), "1.30 s"},
		{times(0.823), "0.82×"},
		{spreadText(Spread{2, 1, 3, 3}, Number), "2.00 (1.00 to 3.00)"},
		{spreadText(Spread{2, 2, 2, 1}, Number), "2.00"},
		{spreadText(Spread{200, 190, 210, 3}, durationText), "0.20 (0.19 to 0.21) ms"},
		{spreadText(Spread{200, 19, 210, 3}, durationText), "0.20 ms (19.0 µs to 0.21 ms)"},
		{spreadText(Spread{}, durationText), none},
		{trim("10.0×"), "10×"},
		{trim("512 MiB"), "512 MiB"},
		{Short(1024), "1,024"},
		{Short(20_000_000), "20 M"},
		{Short(0.5), "0.5"},
		{Describe(harness.BaseAppend), "64 writers, 256 B, 1,000 streams"},
		{Describe(harness.Workload{Operation: harness.Consume, Readers: 4, Events: 10, Log: 1000, Rate: 500, Cold: true}),
			"4 members, 10 events per append, log of 1,000, 500 appends per second, cold"},
		{Describe(harness.Workload{Operation: harness.Open}), "open"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
