package main

import (
	"strings"
	"testing"
)

func TestIndexCommands(t *testing.T) {
	db := seed(t)
	equal(t, "no indexes", must(t, "", "index", db, "list"), "")
	equal(t, "create", must(t, "", "index", "create", "type", db), "type: ready\n")
	equal(t, "create again", must(t, "", "index", "create", "type", db), "type: ready\n")
	equal(t, "create another", must(t, "", "index", "create", "category", db), "type: ready\ncategory: ready\n")
	if out := must(t, "", "read", db, "--all", "--query", "type=Placed", "--stream-prefix", "order-"); len(lines(out)) != 2 || !strings.Contains(out, "order-2@0") {
		t.Errorf("got %s", out)
	}
	checkClean(t, db, "clean: 4 events in 3 streams, 4 ids, 14 tags\n")
	equal(t, "drop", must(t, "", "index", "drop", "type", db), "category: ready\n")
	equal(t, "drop", must(t, "", "index", "drop", "category", db), "")
	checkClean(t, db, "clean: 4 events in 3 streams, 4 ids, 6 tags\n")
	r := invoke(t, "", "index", "create", "colour", db)
	if r.code != exitUsage || r.errors != "fdbevents: index \"colour\": want type or category\n" {
		t.Errorf("got %+v", r)
	}
}
