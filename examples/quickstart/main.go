// Command quickstart shows the Go API: append, read, subscribe, and a
// transaction that keeps a counter in step with its events.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
)

func main() {
	if err := run(context.Background(), "mem:", os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string, out io.Writer) error {
	store, err := engines.OpenStore(ctx, url, fdblayer.Options{}) // "mem:", "file:data", or "fdb:"
	if err != nil {
		return err
	}
	defer store.Close()

	// Append to a stream that must not exist yet. A second writer is refused.
	placed := fdbevents.EventData{Type: "OrderPlaced", Tags: []string{"customer:7"}, Data: []byte(`{"items":3}`)}
	if _, err := store.Append(ctx, "order-1", fdbevents.NoStream, placed); err != nil {
		return err
	}
	_, err = store.Append(ctx, "order-1", fdbevents.NoStream, placed)
	if wrong := (*fdbevents.WrongExpectedRevisionError)(nil); errors.As(err, &wrong) {
		fmt.Fprintln(out, "refused:", wrong)
	}

	// Write an event and our own key in one transaction: both or neither.
	_, err = store.Transact(ctx, func(tx *fdblayer.Tx) error {
		tx.Data("shop").Add([]byte("shipped"), 1)
		_, err := tx.Append("order-1", 0, fdbevents.EventData{Type: "OrderShipped"})
		return err
	})
	if err != nil {
		return err
	}

	for ev, err := range store.ReadStream(ctx, "order-1", fdbevents.StreamStart, fdblayer.ReadOptions{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "read: %s@%d %s %s\n", ev.Stream, ev.Revision, ev.Type, ev.Data)
	}

	// A subscription delivers the events that are there, and then new ones.
	seen := 0
	for ev, err := range store.Subscribe(ctx, fdbevents.Start, fdblayer.SubscribeOptions{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "subscribed: %s@%d %s\n", ev.Stream, ev.Revision, ev.Type)
		if seen++; seen == 2 {
			if _, err := store.Append(ctx, "order-2", fdbevents.Any, placed); err != nil {
				return err
			}
		}
		if seen == 3 {
			break
		}
	}

	_, err = store.Transact(ctx, func(tx *fdblayer.Tx) error {
		shipped, err := tx.Data("shop").Get([]byte("shipped"))
		if err == nil {
			fmt.Fprintln(out, "shipped:", binary.LittleEndian.Uint64(shipped))
		}
		return err
	})
	return err
}
