package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var figures = regexp.MustCompile(`in [0-9.]+ s \(\d+/s\)(, \d+ bytes)?`)

// counts removes the figures that differ from run to run from a summary.
func counts(text string) string { return figures.ReplaceAllString(text, "in TIME") }

func TestExportImport(t *testing.T) {
	db, to, name := seed(t), newDB(t), filepath.Join(t.TempDir(), "archive")
	must(t, "", "truncate", db, "order-1", "--before", "1")
	r := invoke(t, "", "export", db, name)
	if r.code != exitOK || r.out != "" {
		t.Fatalf("got %+v", r)
	}
	equal(t, "export", counts(r.errors), "4 events exported in TIME\n")
	for _, want := range []string{
		"4 events imported in TIME\nverified: 4 events match the archive\n",
		"4 events imported in TIME; 4 already stored\nverified: 4 events match the archive\n",
	} {
		r = invoke(t, "", "import", to, name, "--verify")
		if r.code != exitOK || r.out != "" {
			t.Fatalf("got %+v", r)
		}
		equal(t, "import", counts(r.errors), want)
	}
	for _, args := range [][]string{{"read", "--all", "-o", "json"}, {"read", "order-1"}, {"streams"}} {
		equal(t, args[0], positions.ReplaceAllString(must(t, "", append(args, to)...), ""), positions.ReplaceAllString(must(t, "", append(args, db)...), ""))
	}
	checkClean(t, to, "")

	r = invoke(t, "", "export", db, name)
	if r.code != exitFailure {
		t.Errorf("exit code %d", r.code)
	}
	equal(t, "again", r.errors, "fdbevents: exporting: "+name+": file already exists; remove it or choose another name\n")
	if _, err := os.Stat(name + ".partial"); err == nil {
		t.Error("it left a partial file behind")
	}
}

// TestExportPipe copies from one store to another without a file.
func TestExportPipe(t *testing.T) {
	db, to := seed(t), newDB(t)
	file := must(t, "", "export", "-", db, "--query", "tag=vip")
	r := invoke(t, file, "import", "-", to)
	if r.code != exitOK {
		t.Fatalf("got %+v", r)
	}
	equal(t, "import", counts(r.errors), "2 events imported in TIME\n")
	file = must(t, "", "export", "-", db, "--query", "type=Shipped")
	equal(t, "import", counts(invoke(t, file, "import", "-", newDB(t)).errors), "1 event imported in TIME; new revisions in 1 stream\n")
}

func TestImportRefuses(t *testing.T) {
	dir := t.TempDir()
	db, name := seed(t), filepath.Join(dir, "archive")
	must(t, "", "export", db, name)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) string {
		name := filepath.Join(dir, "damaged")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	// Input that is not an archive leaves no store behind.
	to := filepath.Join(dir, "new")
	r := invoke(t, "", "import", "--db", "file:"+to, write([]byte(`{"type":"x"}`)))
	if r.code != exitFailure || !strings.Contains(r.errors, `damaged: reading the archive: not an archive of events: it begins with "{\"type\":\"x\"}"`) {
		t.Errorf("got %+v", r)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("it created a store")
	}
	if r = invoke(t, "", "import", "--db", "file:"+to, filepath.Join(dir, "missing")); r.code != exitFailure || !strings.Contains(r.errors, "no such file") {
		t.Errorf("got %+v", r)
	}
	r = invoke(t, "", "import", "--db", "file:"+to, write(whole[:len(whole)-3]))
	if r.code != exitFailure || !strings.Contains(r.errors, "the archive is incomplete: only ") || !strings.HasSuffix(r.errors, "; 4 events before it are in the store\n") {
		t.Errorf("got %+v", r)
	}
	whole[len(whole)/2] ^= 1
	r = invoke(t, "", "import", newDB(t), write(whole))
	if r.code != exitFailure || !strings.Contains(r.errors, "importing: block 1 at offset ") || !strings.HasSuffix(r.errors, "; 0 events before it are in the store\n") {
		t.Errorf("got %+v", r)
	}
	other := newDB(t)
	must(t, "", "append", other, "order-1", "--type", "T", "--data", "1")
	r = invoke(t, "", "import", other, name)
	if r.code != exitRefused || !strings.Contains(plain(r.errors), `event UUID of stream "order-1", revision 0 cannot be restored: the store has another event at this revision`) {
		t.Errorf("got %+v", r)
	}
}

// TestExportInterrupted verifies that the same command resumes an interrupted export.
func TestExportInterrupted(t *testing.T) {
	db, name := seed(t), filepath.Join(t.TempDir(), "archive")
	file := must(t, "", "export", "-", db)
	if err := os.WriteFile(name+".partial", []byte(file[:len(file)-5]), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errors strings.Builder
	if code := run(ctx, []string{"export", db, name}, strings.NewReader(""), &out, &errors); code != exitFailure {
		t.Errorf("exit code %d: %s", code, errors.String())
	}
	r := invoke(t, "", "export", db, name)
	if r.code != exitOK {
		t.Fatalf("got %+v", r)
	}
	equal(t, "export", counts(r.errors), "4 events exported in TIME; 4 kept from the interrupted export\n")
	must(t, "", "import", name, newDB(t), "--verify")
}
