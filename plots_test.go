package fdbevents

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPlotLibrary keeps the plotting library, which adds megabytes to a binary, in one
// package, and that package in the benchmark.
func TestPlotLibrary(t *testing.T) {
	const drawing = "bench/report/plot"
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := path.Dir(filepath.ToSlash(name))
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if strings.HasPrefix(imported, "gonum.org/") && folder != drawing {
				t.Errorf("%s imports %s; only %s may", name, imported, drawing)
			}
			if imported == module+"/"+drawing && folder != "bench" {
				t.Errorf("%s imports %s, which pulls in a large library; only bench may", name, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
