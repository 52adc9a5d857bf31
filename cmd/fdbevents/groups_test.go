package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
)

// lagOf returns what "groups list" says about a group.
func lagOf(t *testing.T, db, name string) (members, lag, parked string) {
	t.Helper()
	for _, line := range lines(must(t, "", "groups", "list", db)) {
		if f := strings.Fields(line); f[3] == name {
			return f[0], f[1], f[2]
		}
	}
	t.Fatalf("groups list has no group %s", name)
	return
}

// settled waits until a group has no lag.
func settled(t *testing.T, db, name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, lag, _ := lagOf(t, db, name); lag == "0" {
			return
		}
	}
	t.Fatal("the group still has a lag")
}

// Two members share the events, each stream in order. A later member continues where they
// stopped.
func TestTailGroup(t *testing.T) {
	db := newDB(t)
	for i := range 20 {
		feedEvent(t, db, fmt.Sprint("s", i%5), i)
	}
	want := lines(must(t, "", "read", "--all", db))
	one := start(t, "tail", "--all", "--group", "g", "--stream-prefix", "s", db)
	first := one.line()
	two := start(t, "tail", "--all", "--group", "g", db)
	got := []string{first}
	collect := make(chan []string, 2)
	for _, s := range []*session{one, two} {
		go func() { collect <- s.rest() }()
	}
	feedEvent(t, db, "other", 1)
	settled(t, db, "g")
	for members := ""; members != "2"; time.Sleep(time.Millisecond) {
		members, _, _ = lagOf(t, db, "g")
	}
	one.stop()
	two.stop()
	got = append(append(got, <-collect...), <-collect...)
	for _, s := range []*session{one, two} {
		if code := s.wait(); code != exitOK || s.errors() != "" {
			t.Errorf("exit code %d: %s", code, s.errors())
		}
	}
	slices.Sort(got)
	equal(t, "both together", strings.Join(got, "\n"), strings.Join(want, "\n"))
	if members, lag, parked := lagOf(t, db, "g"); members != "0" || lag != "0" || parked != "0" {
		t.Errorf("in the end: %s members, lag %s, %s parked", members, lag, parked)
	}
	feedEvent(t, db, "s1", 100)
	three := start(t, "tail", "--all", "--group", "g", "-o", "json", db)
	if line := three.line(); !strings.HasPrefix(line, `{"stream":"s1","revision":4,`) {
		t.Errorf("got %s", line)
	}
	three.stop()
	three.rest()
	three.wait()
	r := invoke(t, "", "tail", "--all", "--group", "g", "--stream-prefix", "x", db)
	if r.code != exitUsage || !strings.Contains(r.errors, `consumer group "g": group stream prefix "x": the group was created with "s", which cannot change; leave it out, `) {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	if r = invoke(t, "", "tail", "--all", "--group", "a\tb", db); r.code != exitUsage {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	checkClean(t, db, "")
}

func TestGroups(t *testing.T) {
	db := seed(t)
	if out := must(t, "", "groups", "list", db); out != "" {
		t.Errorf("without groups: %s", out)
	}
	park(t, db, "orders")
	equal(t, "list", must(t, "", "groups", "list", db), "         0          0          1  orders\n")
	equal(t, "parked", plain(must(t, "", "groups", "parked", "orders", db))[len(time.RFC3339)-5:],
		" attempts=1 reason=\"no \\\"such\\\" item\" POSITION return-1@0 Returned 2026-01-31T12:00:03Z [customer:8 vip] \"late\"\n")
	var parked struct {
		Attempts int
		Reason   string
		Event    struct{ Stream, Data string }
	}
	if out := must(t, "", "groups", "parked", "orders", "-o", "json", db); json.Unmarshal([]byte(out), &parked) != nil ||
		parked.Attempts != 1 || parked.Reason != `no "such" item` || parked.Event.Stream != "return-1" || parked.Event.Data != "late" {
		t.Errorf("parked: %s", out)
	}
	must(t, "", "groups", "pause", "orders", db)
	show := must(t, "", "groups", "show", "orders", db)
	for _, want := range []string{"group             orders (paused)\n", "message timeout   30s\n", "retries           10\n", "members           0\n", "lag               0\n", "parked            1\n", "          0          0  none\n"} {
		if !strings.Contains(show, want) {
			t.Errorf("show has no %q:\n%s", want, show)
		}
	}
	if n := len(lines(show)); n != 7+2+8 {
		t.Errorf("show has %d lines:\n%s", n, show)
	}
	must(t, "", "groups", "resume", "orders", db)
	equal(t, "replay", must(t, "", "groups", "replay", "orders", db), "1 message queued for replay\n")
	must(t, "", "groups", "reset", "orders", "--to", "start", db)
	var stat groupStat
	if err := json.Unmarshal([]byte(must(t, "", "groups", "show", "orders", "-o", "json", db)), &stat); err != nil {
		t.Fatal(err)
	}
	replaying := int64(0)
	for _, p := range stat.Partitions {
		replaying += p.Replaying
	}
	if stat.Name != "orders" || stat.Paused || stat.Lag != 4 || stat.Parked != 0 || replaying != 1 || len(stat.Partitions) != 8 || len(stat.Members) != 0 {
		t.Errorf("got %+v", stat)
	}
	last := lines(must(t, "", "read", "--all", "--backward", "--limit", "1", db))[0][:24]
	must(t, "", "groups", "reset", "orders", "--to", last, db)
	equal(t, "replay", must(t, "", "groups", "replay", "orders", "-o", "json", db), "{\"replayed\":0}\n")
	equal(t, "list", must(t, "", "groups", "list", db), "         0          0          0  orders\n")
	r := invoke(t, "", "groups", "reset", "orders", "--to", "7"+strings.Repeat("f", 23), db)
	if r.code != exitUsage || !strings.Contains(r.errors, "is ahead of this store, so it must come from another one") {
		t.Errorf("exit code %d: %s", r.code, r.errors)
	}
	checkClean(t, db, "")
	must(t, "", "groups", "delete", "orders", db)
	r = invoke(t, "", "groups", "show", "orders", db)
	if r.code != exitNotFound {
		t.Errorf("exit code %d", r.code)
	}
	equal(t, "after delete", r.errors, "fdbevents: consumer group \"orders\" not found\n")
}

// park creates a group that has parked the last event and acknowledged all others.
func park(t *testing.T, db, name string) {
	t.Helper()
	ctx := t.Context()
	e, err := engines.Open(ctx, strings.TrimPrefix(db, "--db="))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, err := fdblayer.Open(ctx, e, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := groups.Open(ctx, s, name, groups.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n := 0
	for msg, err := range m.Messages(ctx) {
		if err == nil && msg.Event.Stream == "return-1" {
			err = msg.Nack(ctx, groups.Park, `no "such" item`)
		} else if err == nil {
			err = msg.Ack(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 4 {
			return
		}
	}
}
