//go:build fdb

package fdbengine

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// apiVersion is the version of the client's API that this package is written for.
// It does not follow the installed library.
const apiVersion = 730

// opening guards the start of FoundationDB's client, and the binding's list of
// databases, which has no lock. It is the only thing that all engines of a
// process share. They must: the client has one network thread and one API version
// per process.
var opening sync.Mutex

// Open opens the cluster that a cluster file names, or the default cluster when
// clusterFile is empty. All keys that callers build begin with prefix. Open
// returns when the cluster has answered or ctx has ended.
func Open(ctx context.Context, clusterFile string, prefix []byte) (*Engine, error) {
	if clusterFile != "" {
		if _, err := os.Stat(clusterFile); err != nil { // the client would wait for the file
			return nil, fmt.Errorf("open FoundationDB: cluster file: %w", err)
		}
	}
	db, err := openDatabase(clusterFile)
	if err != nil {
		return nil, fmt.Errorf("open FoundationDB with cluster file %q: %w", clusterFile, err)
	}
	e := newEngine(db, clusterFile, prefix)
	tr := e.Begin(ctx)
	defer tr.Cancel()
	if _, err := tr.ReadVersion().Get(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("the cluster does not answer: %w", err)
		}
		return nil, fmt.Errorf("open %s: %w", e, err)
	}
	return e, nil
}

// openDatabase returns the process's handle of a cluster. The first call starts
// the client.
func openDatabase(clusterFile string) (fdb.Database, error) {
	opening.Lock()
	defer opening.Unlock()
	if err := fdb.APIVersion(apiVersion); err != nil {
		return fdb.Database{}, err
	}
	return fdb.OpenDatabase(clusterFile)
}
