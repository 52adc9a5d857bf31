package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// stored counts the events of the store by their data, a number.
func stored(t *testing.T, db string) map[int]int {
	t.Helper()
	counts := make(map[int]int)
	for _, line := range lines(must(t, "", "read", "--all", "-o", "json", db)) {
		var ev struct{ Data int }
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		counts[ev.Data]++
	}
	return counts
}

func numbered(i int) string {
	return fmt.Sprintf(`{"stream":"s-%d","type":"T","id":"00000000-0000-4000-8000-%012d","data":%d}`, i%7, i, i)
}

// A killed append has stored what it printed. After appending the input again, every event
// is there exactly once.
func TestKillAppend(t *testing.T) {
	const n = 4000
	db := newDB(t)
	var in strings.Builder
	for i := range n {
		fmt.Fprintln(&in, numbered(i))
	}
	file := writeFile(t, in.String())
	for range 3 {
		s := spawn(t, "append", "--file", file, db)
		for range 500 {
			s.line()
		}
		s.kill()
		acknowledged := 500
		for _, line := range s.rest() { // what it printed before it died
			if strings.HasSuffix(line, "}") {
				acknowledged++
			}
		}
		checkClean(t, db, "")
		counts := stored(t, db)
		for i := range acknowledged {
			if counts[i] != 1 {
				t.Fatalf("event %d was acknowledged, but is stored %d times", i, counts[i])
			}
		}
	}
	must(t, "", "append", "--file", file, db)
	counts := stored(t, db)
	for i := range n {
		if counts[i] != 1 {
			t.Fatalf("in the end, event %d is stored %d times", i, counts[i])
		}
	}
	checkClean(t, db, fmt.Sprintf("clean: %d events in 7 streams, %d ids, 0 tags\n", n, n))
}

// The process that follows the log holds the database, and is killed repeatedly while
// another process appends through it. Appending continues, and a tail that resumes after the
// last line misses nothing and sees nothing twice.
func TestKillTail(t *testing.T) {
	const rounds, perRound = 4, 25
	db := newDB(t)
	var seen []string
	var appending *session
	n := 0
	for round := range rounds {
		from := "start"
		if len(seen) > 0 {
			from = seen[len(seen)-1][:24]
		}
		tail := spawn(t, "tail", "--all", "--from", from, db)
		if round == 0 {
			// The tail comes first, and so holds the database.
			feedEvent(t, db, "first", -1)
			seen = append(seen, tail.line())
			appending = spawn(t, "append", db)
		}
		for range perRound {
			appending.feed(numbered(n))
			appending.line()
			n++
			seen = append(seen, tail.line())
		}
		tail.kill()
		for range perRound {
			appending.feed(numbered(n))
			appending.line()
			n++
		}
	}
	last := spawn(t, "tail", "--all", "--from", seen[len(seen)-1][:24], db)
	for len(seen) < n+1 {
		seen = append(seen, last.line())
	}
	last.stop()
	if code := last.wait(); code != exitOK {
		t.Errorf("the last tail: exit code %d: %s", code, last.errors())
	}
	_ = appending.stdin.Close()
	if code := appending.wait(); code != exitOK {
		t.Errorf("append: exit code %d: %s", code, appending.errors())
	}
	equal(t, "all that was seen", strings.Join(seen, "\n"), strings.Join(lines(must(t, "", "read", "--all", db)), "\n"))
	checkClean(t, db, fmt.Sprintf("clean: %d events in 8 streams, %d ids, 0 tags\n", n+1, n+1))
}

// An interrupt ends both tail and append in order.
func TestInterrupt(t *testing.T) {
	db := newDB(t)
	tail, appending := spawn(t, "tail", "--all", db), spawn(t, "append", "--batch", "2", db)
	for i := range 3 {
		appending.feed(numbered(7 * i))
	}
	appending.line()
	tail.line()
	tail.line()
	appending.stop()
	if code := appending.wait(); code != exitFailure {
		t.Errorf("append: exit code %d", code)
	}
	_, message, _ := strings.Cut(appending.errors(), "\n")
	// The third line may or may not have been read.
	message, _, _ = strings.Cut(message, "; 1 event from line 3 on not stored, ")
	equal(t, "append", strings.TrimSuffix(message, "\n"), "fdbevents: stopped: interrupt signal received; 2 events stored before it, up to line 2")
	tail.stop()
	if code := tail.wait(); code != exitOK || tail.errors() != "" {
		t.Errorf("tail: exit code %d: %s", code, tail.errors())
	}
	checkClean(t, db, "clean: 2 events in 1 stream, 2 ids, 0 tags\n")
}
