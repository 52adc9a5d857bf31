package fdbevents

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fences   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestDocuments keeps links and examples of the documents alive.
func TestDocuments(t *testing.T) {
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		text := readDocument(t, name)
		for _, fence := range fences.FindAllStringSubmatch(text, -1) {
			if fence[1] == "go" && !strings.Contains(fence[2], "…") {
				checkExample(t, name, fence[2])
			}
		}
		for _, link := range links.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			checkLink(t, name, link[1])
		}
	}
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkLink fails when a relative link leads to no file, or to no heading of one.
func checkLink(t *testing.T, name, link string) {
	t.Helper()
	if strings.Contains(link, "://") {
		return
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := name
	if file != "" {
		target = filepath.Join(filepath.Dir(name), file)
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s: the link %s leads nowhere: %v", name, link, err)
		return
	}
	if anchor == "" {
		return
	}
	for _, heading := range headings.FindAllStringSubmatch(readDocument(t, target), -1) {
		slug := strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")
		if slug == anchor {
			return
		}
	}
	t.Errorf("%s: the link %s leads to no heading", name, link)
}

// folders are those of the packages that examples name.
var folders = map[string]string{
	"fdbevents": ".", "fdblayer": "fdblayer", "groups": "fdblayer/groups", "check": "fdblayer/check",
	"archive": "fdblayer/archive", "engine": "engine", "engines": "engine/engines", "jsonl": "jsonl", "ingest": "ingest",
}

// checkExample fails when an example, which is a file or the body of a function, does not
// parse, or names something that its package does not have.
func checkExample(t *testing.T, name, code string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, code, 0)
	if err != nil && !strings.HasPrefix(code, "package ") {
		file, err = parser.ParseFile(token.NewFileSet(), name, "package p\nfunc _() error {\n"+code+"\nreturn nil\n}", 0)
	}
	if err != nil {
		t.Errorf("%s: %v in\n%s", name, err, code)
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && folders[x.Name] != "" && !declares(t, folders[x.Name], sel.Sel.Name) {
				t.Errorf("%s: %s.%s does not exist", name, x.Name, sel.Sel.Name)
			}
		}
		return true
	})
}

// declares reports whether the package in a folder seems to declare a name: at the
// beginning of a line, or in a block.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^(func |type |var |const |\t)` + name + `\b`)
	for _, f := range files {
		if declared.MatchString(readDocument(t, f)) {
			return true
		}
	}
	return false
}
