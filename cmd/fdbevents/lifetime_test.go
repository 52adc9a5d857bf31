package main

import (
	"strings"
	"testing"
)

func TestAppendUnlessQuery(t *testing.T) {
	db := seed(t)
	position := appended(t, must(t, "", "append", db, "seat-1", "--type", "Reserved", "--data", "1"))[0].Position.String()
	claim := func(query, after, input string) result {
		return invoke(t, input, "append", db, "--unless-query", query, "--after", after)
	}
	two := `{"stream":"order-3","type":"Placed","tags":["customer:9"]}
{"stream":"order-4","type":"Placed","tags":["customer:9"]}
{"stream":"order-4","type":"Shipped"}
`
	r := claim("type=Placed tag=customer:9", "start", two)
	equal(t, "the first claim", plain(r.out), `{"stream":"order-3","firstRevision":0,"lastRevision":0,"position":"POSITION"}
{"stream":"order-4","firstRevision":0,"lastRevision":1,"position":"POSITION"}
`)
	for _, query := range []string{"type=Placed tag=customer:9", "tag=nobody or tag=customer:9", "all"} {
		r = claim(query, position, two)
		if r.code != exitRefused || r.out != "" {
			t.Errorf("%s: exit code %d, %s", query, r.code, r.out)
		}
		equal(t, query, plain(r.errors), "fdbevents: append condition failed: the event at position POSITION matches the query; read from there and decide again\n")
	}
	if r = claim("tag=customer:9 type=Returned", "start", `{"stream":"a","type":"b"}`); r.code != exitOK {
		t.Errorf("got %+v", r)
	}
	r = claim("all", position, `{"stream":"a","type":"b"}
{"stream":"a"}
`)
	if r.code != exitFailure || !strings.Contains(r.errors, `line 2: missing "type"; add it to the line or give --type; nothing was appended`) {
		t.Errorf("got %+v", r)
	}
	r = claim("all", "7f0000000000000000000000", `{"stream":"a","type":"b"}`)
	if r.code != exitUsage || !strings.Contains(r.errors, "is ahead of this store") {
		t.Errorf("got %+v", r)
	}
	equal(t, "read --query", must(t, "", "read", db, "--all", "--query", "tag=customer:9 or tag=vip type=Returned"),
		must(t, "", "read", db, "--all", "--type", "Returned", "--tag", "vip")+must(t, "", "read", db, "--all", "--tag", "customer:9"))
	checkClean(t, db, "")
}

func TestStreamLifetimeCommands(t *testing.T) {
	db := newDB(t)
	for range 5 {
		must(t, "", "append", db, "s", "--type", "T", "--data", "1", "--tag", "x")
	}
	id := "11111111-2222-4333-8444-555555555555"
	must(t, "", "append", db, "s", "--type", "T", "--data", `"private"`, "--id", id, "--tag", "x")
	count := func(args ...string) int {
		t.Helper()
		return len(lines(must(t, "", append([]string{"read", db}, args...)...)))
	}
	equal(t, "truncate", must(t, "", "truncate", db, "s", "--before", "2"), "         4          5  s\n")
	equal(t, "retain", must(t, "", "retain", db, "s", "--max-count", "3", "--max-age", "48h"), "         3          5  s (max count 3) (max age 48h0m0s)\n")
	if n, all := count("s"), count("--all"); n != 3 || all != 6 {
		t.Errorf("%d and %d events", n, all)
	}
	equal(t, "scavenge", must(t, "", "scavenge", db), "3 events removed, 1 stream examined\n")
	if n, all := count("s"), count("--all"); n != 3 || all != 3 {
		t.Errorf("%d and %d events after scavenging", n, all)
	}
	equal(t, "erase", plain(must(t, "", "erase", db, id)), "POSITION s@5 erased\n")
	if out := must(t, "", "read", db, "s", "--backward", "--limit", "1"); strings.Contains(out, "private") || !strings.HasSuffix(out, " (erased)\n") {
		t.Errorf("an erased event is read as %s", out)
	}
	out := must(t, "", "read", db, "s", "-o", "json")
	if !strings.Contains(out, `,"erased":true}`) {
		t.Errorf("got %s", out)
	}
	other := newDB(t)
	must(t, out, "append", other)
	checkClean(t, other, "")
	r := invoke(t, "", "erase", db, "11111111-2222-4333-8444-555555555556")
	if r.code != exitNotFound || r.errors != "fdbevents: erasing: event \"11111111-2222-4333-8444-555555555556\" not found\n" {
		t.Errorf("got %+v", r)
	}
	r = invoke(t, "", "delete", db, "s", "--expected", "4")
	if r.code != exitRefused || r.errors != "fdbevents: deleting: wrong expected revision of stream \"s\": expected 4, but its last revision is 5\n" {
		t.Errorf("got %+v", r)
	}
	equal(t, "delete", must(t, "", "delete", db, "s"), "deleted: s\n")
	if r = invoke(t, "", "read", db, "s"); r.code != exitNotFound {
		t.Errorf("got %+v", r)
	}
	equal(t, "streams", must(t, "", "streams", db), "         0          5  s (deleted) (max count 3) (max age 48h0m0s)\n")
	must(t, "", "append", db, "s", "--type", "T", "--data", "1", "--expected", "none")
	equal(t, "delete --permanently", must(t, "", "delete", db, "s", "--permanently"), "deleted permanently: s\n")
	if r = invoke(t, "", "append", db, "s", "--type", "T", "--data", "1"); r.code != exitNotFound || r.errors != "fdbevents: stream \"s\": stream is permanently deleted\n" {
		t.Errorf("got %+v", r)
	}
	equal(t, "scavenge", must(t, "", "scavenge", db), "4 events removed, 1 stream examined\n")
	checkClean(t, db, "")
}
