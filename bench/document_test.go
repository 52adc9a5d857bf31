package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestDocument fails when docs/performance.md or one of its plots is out of date.
func TestDocument(t *testing.T) {
	dir := filepath.Join("..", "docs")
	copied := filepath.Join(t.TempDir(), "docs")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := render(filepath.Join(copied, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/performance.md differs from docs/performance/report.json: go run ./bench --document docs/performance.md")
	}
	if runtime.GOARCH != "amd64" {
		return // on other architectures, the last digit of a coordinate may differ
	}
	plots, err := filepath.Glob(filepath.Join(copied, "performance", "plots", "*.svg"))
	if err != nil || len(plots) == 0 {
		t.Fatalf("%d plots, %v", len(plots), err)
	}
	for _, plot := range plots {
		name, _ := filepath.Rel(copied, plot)
		there, err := os.ReadFile(filepath.Join(dir, name))
		drawn, err2 := os.ReadFile(plot)
		if err != nil || err2 != nil || !bytes.Equal(there, drawn) {
			t.Errorf("docs/%s differs from the report: %v, %v", name, err, err2)
		}
	}
}

func TestDocumentRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	for content, want := range map[string]string{
		"no place":  "has no place for a report; add these lines to it:\n" + begin + end,
		begin + end: "read report: open ",
		begin:       "has no place for a report",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := render(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
	}
}
