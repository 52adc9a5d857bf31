// Package fdbevents has no code of its own; this test keeps its parts apart.
package fdbevents

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fdbevents/fdbevents"

// arrows are the folders of this module that the code in a folder may import, in
// files of every build tag. A folder that is neither here nor below one of
// the roots in anything breaks the test: it needs a decision.
var arrows = map[string][]string{
	"tuple":                    {},
	"engine":                   {},
	"engine/enginetest":        {"engine"},
	"engine/faultengine":       {"engine"},
	"engine/pebbleengine":      {"engine"},
	"engine/fdbengine":         {"engine"},
	"engine/fdbengine/fdbtest": {"engine", "engine/fdbengine"},
	"engine/engines":           {"engine", "engine/pebbleengine", "engine/fdbengine", "tuple"},
	"fdblayer":                 {"engine", "tuple"},
	"fdblayer/archive":         {"fdblayer"},
	"jsonl":                    {"fdblayer"},
	"ingest":                   {"fdblayer", "jsonl"},
}

// anything are the roots that may import anything.
var anything = []string{"cmd", "bench", "examples", "soak"}

// standardOnly are the folders that import nothing but the standard library and
// this module.
var standardOnly = []string{"tuple", "engine"}

func TestArrows(t *testing.T) {
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		folder := path.Dir(filepath.ToSlash(name))
		root, _, _ := strings.Cut(folder, "/")
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			slices.Contains(anything, root) {
			return nil
		}
		allowed, ok := arrows[folder]
		if !ok {
			t.Errorf("%s is in a folder without arrows", name)
		}
		seen[folder] = true
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			switch {
			case isOurs && !slices.Contains(allowed, ours):
				t.Errorf("%s imports %s; %s may import only %q of this module", name, ours, folder, allowed)
			case !isOurs && slices.Contains(standardOnly, folder) && strings.Contains(imported, "."):
				t.Errorf("%s imports %s; %s is standard library only", name, imported, folder)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder := range arrows {
		if !seen[folder] {
			t.Errorf("there are arrows for %s, but no code", folder)
		}
	}
}
