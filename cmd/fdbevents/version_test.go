package main

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestEdition(t *testing.T) {
	pebble := &debug.Module{Path: "github.com/cockroachdb/pebble/v2", Version: "v2.1.7"}
	binding := &debug.Module{Path: "github.com/apple/foundationdb/bindings/go", Version: "v0.0.0-1"}
	other := &debug.Module{Path: "github.com/urfave/cli/v2", Version: "v2.27.7"}
	checkout := []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}}
	for _, tt := range []struct {
		info            *debug.BuildInfo
		version, commit string
		want, revision  string
	}{
		{nil, "", "", "(devel)\ncommit   unknown\nengines  unknown", "(devel)"},
		{&debug.BuildInfo{}, "", "", "(devel)\ncommit   unknown\nengines  unknown", "(devel)"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Deps: []*debug.Module{other, pebble}}, "", "",
			"v1.2.3\ncommit   unknown\nengines  embedded (pebble v2.1.7)", "v1.2.3"},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: checkout, Deps: []*debug.Module{binding, pebble}}, "", "",
			"(devel)\ncommit   abc modified\nengines  embedded (pebble v2.1.7), FoundationDB (binding v0.0.0-1)", "(devel) abc modified"},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: checkout, Deps: []*debug.Module{pebble}}, "v2.0.0", "def",
			"v2.0.0\ncommit   def\nengines  embedded (pebble v2.1.7)", "v2.0.0 def"},
	} {
		e := editionOf(tt.info, tt.version, tt.commit)
		equal(t, "edition", e.String(), tt.want)
		equal(t, "revision", e.revision(), tt.revision)
	}
}

func TestVersionFlag(t *testing.T) {
	for _, flag := range []string{"--version", "-v"} {
		out := lines(must(t, "", flag))
		if len(out) != 3 || !strings.HasPrefix(out[0], "fdbevents version ") || !strings.HasPrefix(out[1], "commit   ") ||
			!strings.HasPrefix(out[2], "engines  embedded (pebble v2.") {
			t.Errorf("%s prints %q", flag, out)
		}
	}
}

// A release build has a version and a commit.
func TestVersionOfRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program again")
	}
	binary := filepath.Join(t.TempDir(), "fdbevents")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3 -X main.commit=abc", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(binary, "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "fdbevents version v1.2.3\ncommit   abc\nengines  embedded (pebble ") {
		t.Errorf("%v: %s", err, out)
	}
}
