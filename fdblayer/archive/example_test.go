package archive_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
)

// Example copies the streams of one store to another.
func Example() {
	if err := copyOrders(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// exported 2 events
	// imported 2 events, 0 of them repeats
	// order-1@0 OrderPlaced
	// order-1@1 OrderShipped
}

func copyOrders(ctx context.Context) error {
	from, closeFrom, err := openInMemory(ctx)
	if err != nil {
		return err
	}
	defer closeFrom()
	to, closeTo, err := openInMemory(ctx)
	if err != nil {
		return err
	}
	defer closeTo()
	for _, typ := range []string{"OrderPlaced", "OrderShipped"} {
		if _, err := from.Append(ctx, "order-1", fdbevents.Any, fdbevents.EventData{Type: typ}); err != nil {
			return err
		}
	}

	var file bytes.Buffer
	summary, err := archive.Export(ctx, from, &file, archive.Options{Filter: fdbevents.InStreams("order-")})
	if err != nil {
		return err
	}
	fmt.Printf("exported %d events\n", summary.Events)

	imported, err := archive.Import(ctx, to, &file, archive.ImportOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("imported %d events, %d of them repeats\n", imported.Events, imported.Repeats)
	for ev, err := range to.ReadStream(ctx, "order-1", 0, fdblayer.ReadOptions{}) {
		if err != nil {
			return err
		}
		fmt.Printf("%s@%d %s\n", ev.Stream, ev.Revision, ev.Type)
	}
	return nil
}

func openInMemory(ctx context.Context) (s *fdblayer.Store, closeAll func(), err error) {
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		return nil, nil, err
	}
	if s, err = fdblayer.Open(ctx, e, fdblayer.Options{}); err != nil {
		e.Close()
		return nil, nil, err
	}
	return s, func() { s.Close(); e.Close() }, nil
}
