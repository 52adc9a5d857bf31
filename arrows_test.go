package fdbevents

import (
	"cmp"
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

// language is the folder of the language, package fdbevents: the module's root.
const language = "."

// arrows maps each folder to the folders of this module that its code may import,
// whatever the build tags of a file. A folder that is neither listed here nor below
// one of the roots that may import anything fails the test: it needs a decision.
var arrows = map[string][]string{
	language:                   {},
	"tuple":                    {},
	"engine":                   {},
	"engine/enginetest":        {"engine"},
	"engine/faultengine":       {"engine"},
	"engine/pebbleengine":      {"engine"},
	"engine/fdbengine":         {"engine"},
	"engine/fdbengine/fdbtest": {"engine", "engine/fdbengine"},
	"engine/engines":           {"engine", "engine/pebbleengine", "engine/fdbengine", "tuple", "fdblayer"},
	"internal/layout":          {language, "engine", "tuple"},
	"fdblayer":                 {language, "engine", "internal/layout"},
	"fdblayer/groups":          {language, "engine", "internal/layout", "fdblayer"},
	"fdblayer/check":           {language, "engine", "internal/layout", "fdblayer"},
	"fdblayer/archive":         {language, "fdblayer"},
	"internal/storetest": {language, "engine", "engine/faultengine", "engine/pebbleengine", "engine/fdbengine/fdbtest", "internal/layout",
		"fdblayer", "fdblayer/check", "fdblayer/groups"},
	"jsonl":                   {language},
	"ingest":                  {language, "fdblayer", "jsonl"},
	"examples/quickstart":     {language, "fdblayer", "engine/engines"},
	"examples/sales":          {language, "fdblayer", "engine", "engine/engines"},
	"examples/retail/convert": {},
}

// anything lists the roots whose code may import every folder of this module.
var anything = []string{"cmd", "bench", "soak"}

// foreign maps a folder to the packages of other modules that its code may import.
// A folder that is not listed may import any.
var foreign = map[string][]string{
	language: {"github.com/google/uuid", "github.com/alecthomas/participle/v2", "github.com/alecthomas/participle/v2/lexer"},
	"tuple":  {},
	"engine": {},
}

func TestArrows(t *testing.T) {
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		folder := path.Dir(filepath.ToSlash(name))
		root, _, _ := strings.Cut(folder, "/")
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || slices.Contains(anything, root) {
			return nil
		}
		allowed, ok := arrows[folder]
		if !ok {
			t.Errorf("%s is in a folder that arrows does not list", name)
		}
		seen[folder] = true
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			ours, isOurs := strings.CutPrefix(imported, module)
			ours = cmp.Or(strings.TrimPrefix(ours, "/"), language)
			few, isFew := foreign[folder]
			switch {
			case isOurs && !slices.Contains(allowed, ours):
				t.Errorf("%s imports %s; %s may import only %q from this module", name, ours, folder, allowed)
			case !isOurs && isFew && strings.Contains(imported, ".") && !slices.Contains(few, imported):
				t.Errorf("%s imports %s; from other modules, %s may import only %q", name, imported, folder, few)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder := range arrows {
		if !seen[folder] {
			t.Errorf("arrows lists %s, which has no code", folder)
		}
	}
}
