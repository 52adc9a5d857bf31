//go:build !fdb

package systems

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// WithFoundationDB says whether this program was built with the tag fdb.
const WithFoundationDB = false

// foundationDB returns systems that say why they cannot run.
func foundationDB() []harness.System {
	missing := func(context.Context, string) (harness.Instance, error) {
		return nil, fmt.Errorf("%w: built without FoundationDB; install libfdb_c 7.3 with its header and run with -tags fdb", harness.ErrMissing)
	}
	return []harness.System{
		{Name: "fdbevents-fdb", Kind: harness.Subject, About: aboutOnFoundationDB, Open: missing},
		{Name: "fdb", Kind: harness.Limit, About: aboutFoundationDB, Open: missing},
	}
}
