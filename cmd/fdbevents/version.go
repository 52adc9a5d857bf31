package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// A release sets these, because the build does not know its tag:
//
//	go build -ldflags '-X main.version=v1.2.3 -X main.commit=abc' ./cmd/fdbevents
var version, commit string

// engineModules are the modules that show which engines a build contains.
var engineModules = []struct{ path, engine string }{
	{"github.com/cockroachdb/pebble/v2", "embedded (pebble %s)"},
	{"github.com/apple/foundationdb/bindings/go", "FoundationDB (binding %s)"},
}

// edition identifies a build of the program.
type edition struct {
	version, commit string
	// engines are the engines compiled in.
	engines []string
}

// editionOf describes a build. version and commit, if not empty, override what info says.
// info is nil if the build recorded nothing.
func editionOf(info *debug.BuildInfo, version, commit string) edition {
	e := edition{version: version, commit: commit}
	if info == nil {
		info = &debug.BuildInfo{}
	}
	if e.version == "" {
		e.version = info.Main.Version
	}
	if e.version == "" {
		e.version = "(devel)"
	}
	if e.commit == "" {
		e.commit = commitOf(info)
	}
	for _, m := range engineModules {
		for _, dep := range info.Deps {
			if dep.Path == m.path {
				e.engines = append(e.engines, fmt.Sprintf(m.engine, dep.Version))
			}
		}
	}
	return e
}

func commitOf(info *debug.BuildInfo) string {
	text, modified := "unknown", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			text = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = " modified"
		}
	}
	return text + modified
}

// thisEdition describes the running build.
func thisEdition() edition {
	info, _ := debug.ReadBuildInfo() // nil if the build recorded nothing
	return editionOf(info, version, commit)
}

// String returns what --version prints after the program's name.
func (e edition) String() string {
	engines := "unknown"
	if len(e.engines) > 0 {
		engines = strings.Join(e.engines, ", ")
	}
	return fmt.Sprintf("%s\ncommit   %s\nengines  %s", e.version, e.commit, engines)
}

// revision names the build in one line, for reports.
func (e edition) revision() string {
	if e.commit == "unknown" {
		return e.version
	}
	return e.version + " " + e.commit
}
