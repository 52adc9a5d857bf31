//go:build !fdb

package engines

import (
	"context"
	"errors"

	"github.com/fdbevents/fdbevents/engine"
)

func openFoundationDB(context.Context, string, string) (engine.Engine, error) {
	return nil, errors.New("this binary was built without FoundationDB; " +
		"build one with: go build -tags fdb ./cmd/fdbevents (needs libfdb_c 7.3 and its header, foundationdb-clients)")
}
