//go:build !fdb

package engines_test

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine/engines"
)

func TestOpenWithoutFoundationDB(t *testing.T) {
	const want = `database "fdb:/etc/foundationdb/fdb.cluster?prefix=shop": this binary was built without FoundationDB; ` +
		`build one with: go build -tags fdb ./cmd/fdbevents (needs libfdb_c 7.3 and its header, foundationdb-clients)`
	e, err := engines.Open(t.Context(), "fdb:/etc/foundationdb/fdb.cluster?prefix=shop")
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if e != nil {
		t.Error("got an engine along with the error")
	}
}
