package engines

import (
	"context"
	"errors"

	"github.com/fdbevents/fdbevents/fdblayer"
)

// OpenStore opens the store in the database that a URL names, and creates it if there is
// no store. Store.Close closes the engine as well.
func OpenStore(ctx context.Context, databaseURL string, o fdblayer.Options) (*fdblayer.Store, error) {
	e, err := Open(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	o.CloseEngine = true
	store, err := fdblayer.Open(ctx, e, o)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return store, nil
}
