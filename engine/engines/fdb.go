//go:build fdb

package engines

import (
	"context"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine"
	"github.com/fdbevents/fdbevents/tuple"
)

func openFoundationDB(ctx context.Context, clusterFile, prefix string) (engine.Engine, error) {
	e, err := fdbengine.Open(ctx, clusterFile, tuple.AppendString(nil, prefix))
	if err != nil {
		return nil, err
	}
	return e, nil
}
