//go:build !fdb

package main

import "testing"

func runTests(m *testing.M) int { return m.Run() }

func fdbURL(t *testing.T) string {
	t.Skip("skipped: no FoundationDB (build tag fdb)")
	return ""
}
