package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
)

// TestTorn verifies that an archive cut short anywhere is never taken for a whole one, and
// that the error says how much of it was imported.
func TestTorn(t *testing.T) {
	from := filled(t)
	file := export(t, from, archive.Options{})
	all := log(t, from)
	for n := range file {
		if _, err := archive.Read(file[:n]); !errors.Is(err, archive.ErrTorn) {
			t.Fatalf("%d of %d bytes: %v", n, len(file), err)
		}
		if n%50 != 0 {
			continue
		}
		to := openStore(t)
		done, err := archive.Import(t.Context(), to, bytes.NewReader(file[:n]), archive.ImportOptions{})
		if !errors.Is(err, archive.ErrTorn) || done.Events > 0 && !strings.HasSuffix(err.Error(), fmt.Sprintf("; %d events before it are in the store", done.Events)) {
			t.Errorf("%d bytes: %v", n, err)
		}
		equal(t, "log", log(t, to), all[:done.Events])
	}
}

// TestFlipped verifies that every flipped bit is noticed.
func TestFlipped(t *testing.T) {
	file := export(t, filled(t), archive.Options{})
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, err := archive.Read(file); err == nil {
				t.Fatalf("bit %d of byte %d is not noticed", bit, i)
			} else if i >= 12 && !strings.HasPrefix(err.Error(), "block ") {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
			file[i] ^= 1 << bit
		}
	}
	if _, err := archive.Read(file); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Read(append(file, 0)); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
	file[len(file)-60] ^= 1
	to := openStore(t)
	var block *archive.BlockError
	if _, err := archive.Import(t.Context(), to, bytes.NewReader(file), archive.ImportOptions{}); !errors.Is(err, archive.ErrDamaged) || !errors.As(err, &block) || block.Block == 0 {
		t.Errorf("got %v", err)
	}
}

// TestExportGoesOn verifies that an export interrupted anywhere can be resumed.
func TestExportGoesOn(t *testing.T) {
	from := openStore(t)
	ctx := t.Context()
	for i := range 3 {
		appendTo(t, from, "a", event(fmt.Sprint(i)))
	}
	if err := from.Truncate(ctx, "a", 1); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "archive")
	if _, err := archive.ExportFile(ctx, from, name, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.ExportFile(ctx, from, name, archive.Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		torn := bytes.Clone(whole[:n])
		if n%3 == 2 {
			torn[n/2] ^= 1 // and damaged
		}
		if err := os.WriteFile(name+archive.PartialSuffix, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := archive.ExportFile(ctx, from, name, archive.Options{})
		if n%3 == 2 && err != nil { // the magic was damaged
			if !errors.Is(err, archive.ErrNotArchive) && !errors.Is(err, archive.ErrOther) {
				t.Fatal(err)
			}
			if err := os.Rename(name+archive.PartialSuffix, name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if events, err := archive.Read(got); err != nil || events != 3 {
			t.Fatalf("%d bytes: %d events, %v", n, events, err)
		}
		if _, err := os.Stat(name + archive.PartialSuffix); err == nil {
			t.Fatal("the partial file is still there")
		}
	}
	to := openStore(t)
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	restore(t, to, file)
	equal(t, "streams", seen(t, to), seen(t, from))
}

// TestExportStopped verifies that an export stopped by its context keeps what it has
// written, and that events appended before it is resumed are not in it.
func TestExportStopped(t *testing.T) {
	from := openStore(t)
	big(t, from, 40, 100_000)
	before := log(t, from)
	name := filepath.Join(t.TempDir(), "archive")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := archive.Options{Progress: func(done, total int64) {
		if _, err := archive.ExportFile(t.Context(), from, name, archive.Options{}); !errors.Is(err, archive.ErrBusy) {
			t.Errorf("meanwhile: %v", err)
		}
		cancel()
	}}
	if _, err := archive.ExportFile(ctx, from, name, o); !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "export again to resume "+name+".partial") {
		t.Fatal(err)
	}
	appendTo(t, from, "s-1", event("later"))
	for _, o := range []archive.Options{{Filter: fdbevents.InStreams("x")}, {Filter: fdbevents.Filter{Query: fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{"x"}}}}}}} {
		if _, err := archive.ExportFile(t.Context(), from, name, o); !errors.Is(err, archive.ErrOther) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := archive.ExportFile(t.Context(), filled(t), name, archive.Options{}); !errors.Is(err, archive.ErrOther) {
		t.Errorf("got %v", err)
	}
	summary, err := archive.ExportFile(t.Context(), from, name, archive.Options{})
	if err != nil || summary.Kept == 0 || summary.Kept == 40 || summary.Events != 40 {
		t.Fatalf("%+v, %v", summary, err)
	}
	file, err := os.ReadFile(name)
	if err != nil || int64(len(file)) != summary.Bytes {
		t.Fatal(len(file), err)
	}
	to := openStore(t)
	restore(t, to, file)
	equal(t, "log", log(t, to), before)
}

// FuzzImport verifies that reading any input ends, and that the input is either refused or
// something an export could have written.
func FuzzImport(f *testing.F) {
	var good []byte
	f.Add([]byte(nil), byte('E'), []byte("x"), false)
	f.Add([]byte("\x89FDBEVENT\r\n\x1a"), byte('F'), []byte("\x94\x00\x00\x00\xa0"), false)
	f.Add([]byte("{}"), byte('S'), []byte("\x98\xa1a\x00\x00\x00\x00\xc2\xc2\xc4\x00"), true)
	f.Add([]byte("{}"), byte('E'), []byte("\x9b\xb8000000000000000000000001\xa1a\x00\xc4\x10aaaaaaaaaaaaaaaa\xa1t\xa1c\x90\x01\xc4\x00\xc4\x00\xc2"), true)
	f.Fuzz(func(t *testing.T, input []byte, kind byte, payload []byte, packed bool) {
		if _, err := archive.Read(input); err == nil && !bytes.HasPrefix(input, []byte("\x89FDBEVENT")) {
			t.Error("accepted without the magic number")
		}
		if good == nil {
			good = export(t, filled(t), archive.Options{})
		}
		if packed {
			payload = archive.Pack(1, "000000000000000000000001", "000000000000000000000001", payload)
		}
		if _, err := archive.Read(archive.WithFrame(good, kind, payload)); err == nil {
			t.Error("an additional block is not noticed")
		}
	})
}
