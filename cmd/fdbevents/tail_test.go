package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func feedEvent(t *testing.T, db, stream string, n int) {
	t.Helper()
	must(t, "", "append", stream, "--type", "T", "--data", fmt.Sprint(n), db)
}

// Tails follow a store that does not exist yet, while other commands append.
func TestTailLive(t *testing.T) {
	db := newDB(t)
	all := start(t, "tail", "--all", db)
	json := start(t, "tail", "--all", "--stream-prefix", "a", "-o", "json", db)
	one := start(t, "tail", "b", "--type", "T", db)
	for i := range 5 {
		feedEvent(t, db, "a", 2*i)
		feedEvent(t, db, "b", 2*i+1)
		for _, want := range []string{fmt.Sprintf("a@%d T TIME %d", i, 2*i), fmt.Sprintf("b@%d T TIME %d", i, 2*i+1)} {
			if got := strings.Fields(all.line()); got[1]+" "+got[2]+" TIME "+got[4] != want {
				t.Errorf("got %q, want %s", got, want)
			}
		}
		if got := json.line(); !strings.HasPrefix(got, fmt.Sprintf(`{"stream":"a","revision":%d,`, i)) {
			t.Errorf("got %s", got)
		}
		if got := one.line(); !strings.Contains(got, fmt.Sprintf(" b@%d ", i)) {
			t.Errorf("got %s", got)
		}
	}
	for _, s := range []*session{all, json, one} {
		s.stop()
		if rest := s.rest(); rest != nil {
			t.Errorf("more lines: %q", rest)
		}
		if code := s.wait(); code != exitOK || s.errors() != "" {
			t.Errorf("exit code %d: %s", code, s.errors())
		}
	}
	checkClean(t, db, "clean: 10 events in 2 streams, 10 ids, 0 tags\n")
}

// --from is exclusive: the last line printed says where to continue.
func TestTailFrom(t *testing.T) {
	db := seed(t)
	all := lines(must(t, "", "read", "--all", db))
	for _, tt := range []struct {
		args string
		// old lists the existing events that are printed, as indexes of all.
		old string
	}{
		{"--all", "0 1 2 3"},
		{"--all --from start", "0 1 2 3"},
		{"--all --from " + all[1][:24], "2 3"},
		{"--all --from " + all[3][:24], ""},
		{"--all --tag vip", "1 3"},
		{"order-1", "0 2"},
		{"order-1 --from start", "0 2"},
		{"order-1 --from 0", "2"},
		{"order-1 --from 1", ""},
	} {
		s := start(t, append([]string{"tail", db}, strings.Fields(tt.args)...)...)
		for _, i := range strings.Fields(tt.old) {
			equal(t, tt.args, s.line(), all[i[0]-'0'])
		}
		must(t, "", "append", "order-1", "--type", "New", "--tag", "vip", "--data", "1", db)
		line := s.line()
		for tt.old == "" && strings.Contains(line, " New ") && !strings.Contains(line, fmt.Sprintf("@%d ", lastRevision(t, db, "order-1"))) {
			line = s.line() // skip the new events of earlier cases
		}
		if !strings.Contains(line, " New ") {
			t.Errorf("%s: got %s", tt.args, line)
		}
		s.stop()
		s.rest()
		if code := s.wait(); code != exitOK {
			t.Errorf("%s: exit code %d: %s", tt.args, code, s.errors())
		}
	}
}

func lastRevision(t *testing.T, db, stream string) int64 {
	t.Helper()
	var ev struct{ Revision int64 }
	out := must(t, "", "read", stream, "--backward", "--limit", "1", "-o", "json", db)
	if err := json.Unmarshal([]byte(out), &ev); err != nil {
		t.Fatal(err)
	}
	return ev.Revision
}

// With --from end, only new events are printed. When the tail begins cannot be seen from
// outside, so append events until one arrives.
func TestTailFromEnd(t *testing.T) {
	for _, target := range []string{"--all", "order-1"} {
		db := seed(t)
		s := start(t, "tail", target, "--from", "end", db)
		arrived := make(chan string, 1)
		go func() { arrived <- s.line() }()
		for n := 0; ; n++ {
			feedEvent(t, db, "order-1", n)
			select {
			case line := <-arrived:
				if !strings.Contains(line, " T ") {
					t.Errorf("%s: got %s", target, line)
				}
			default:
				if n < 10_000 {
					continue
				}
				t.Fatal("no event arrives")
			}
			break
		}
		s.stop()
	}
}

// A long log is printed in full and in order while it grows.
func TestTailManyEvents(t *testing.T) {
	const n = 3000
	db := newDB(t)
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, `{"stream":"s-%d","type":"T","data":%d}`+"\n", i%5, i)
	}
	s := start(t, "tail", "--all", db)
	appending := start(t, "append", "--file", writeFile(t, in.String()), db)
	go appending.rest()
	seen := make([]string, n)
	for i := range seen {
		seen[i] = s.line()
	}
	equal(t, "tail", strings.Join(seen, "\n"), strings.Join(lines(must(t, "", "read", "--all", db)), "\n"))
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
