package fdblayer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// openExample opens a store in memory. A service would name a directory, "file:data",
// or FoundationDB, "fdb:".
func openExample(ctx context.Context) *fdblayer.Store {
	store, err := engines.OpenStore(ctx, "mem:", fdblayer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return store
}

// The stream must not exist yet. A second writer that expects the same is refused.
func ExampleStore_Append() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	placed := fdbevents.EventData{Type: "OrderPlaced", Data: []byte(`{"items":3}`)}
	result, err := store.Append(ctx, "order-1", fdbevents.NoStream, placed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored as revision", result.FirstRevision)

	_, err = store.Append(ctx, "order-1", fdbevents.NoStream, placed)
	var wrong *fdbevents.WrongExpectedRevisionError
	if errors.As(err, &wrong) {
		fmt.Println("refused: the stream is at revision", wrong.Actual)
	}
	// Output:
	// stored as revision 0
	// refused: the stream is at revision 0
}

// A seat is sold only once, whichever stream the sale goes to: the append succeeds
// only if no event of the seat came after the last one that the seller has seen.
func ExampleStore_AppendIf() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	seat := fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{"seat:7"}}}}
	sell := func(order string) error {
		seen := fdbevents.Start
		for ev, err := range store.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: seat}}) {
			if err != nil {
				return err
			}
			seen = ev.Position // a real decision looks at the event
		}
		_, err := store.AppendIf(ctx, fdbevents.Condition{Query: seat, After: seen}, fdbevents.StreamAppend{
			Stream: order, Expected: fdbevents.Any,
			Events: []fdbevents.EventData{{Type: "SeatSold", Tags: []string{"seat:7"}}},
		})
		return err
	}
	fmt.Println(sell("order-1"))

	// This seller looked before the sale.
	_, err := store.AppendIf(ctx, fdbevents.Condition{Query: seat, After: fdbevents.Start}, fdbevents.StreamAppend{
		Stream: "order-2", Expected: fdbevents.Any,
		Events: []fdbevents.EventData{{Type: "SeatSold", Tags: []string{"seat:7"}}},
	})
	var taken *fdbevents.ConditionError
	fmt.Println(errors.As(err, &taken))
	// Output:
	// <nil>
	// true
}

// An event and one of the application's own keys are written together, or not at all.
func ExampleStore_Transact() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()

	_, err := store.Transact(ctx, func(tx *fdblayer.Tx) error {
		tx.Data("shop").Add([]byte("orders"), 1)
		_, err := tx.Append("order-1", fdbevents.NoStream, fdbevents.EventData{Type: "OrderPlaced"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Transact(ctx, func(tx *fdblayer.Tx) error {
		value, err := tx.Data("shop").Get([]byte("orders"))
		if err == nil {
			fmt.Println("orders:", binary.LittleEndian.Uint64(value))
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// orders: 1
}

func ExampleStore_ReadStream() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	_, err := store.Append(ctx, "order-1", fdbevents.Any, fdbevents.EventData{Type: "OrderPlaced"}, fdbevents.EventData{Type: "OrderShipped"})
	if err != nil {
		log.Fatal(err)
	}

	for ev, err := range store.ReadStream(ctx, "order-1", fdbevents.StreamStart, fdblayer.ReadOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev.Revision, ev.Type)
	}
	// Output:
	// 0 OrderPlaced
	// 1 OrderShipped
}

// The subscription delivers the events already stored, and then each one that is
// appended, without a seam.
func ExampleStore_Subscribe() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	place := func(order string) {
		if _, err := store.Append(ctx, order, fdbevents.Any, fdbevents.EventData{Type: "OrderPlaced"}); err != nil {
			log.Fatal(err)
		}
	}
	place("order-1")

	o := fdblayer.SubscribeOptions{Filter: fdbevents.InStreams("order-"), CaughtUp: func() { fmt.Println("live") }}
	for ev, err := range store.Subscribe(ctx, fdbevents.Start, o) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev.Stream)
		switch ev.Stream {
		case "order-1":
			place("order-2")
		case "order-2":
			return // leaving the loop ends the subscription
		}
	}
	// Unordered output:
	// order-1
	// order-2
	// live
}

// A mailer resumes where it was when its process ended. The event at which it stopped
// comes again: delivery is at least once.
func ExampleStore_SubscribeFrom() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	for _, order := range []string{"order-1", "order-2"} {
		if _, err := store.Append(ctx, order, fdbevents.Any, fdbevents.EventData{Type: "OrderPlaced"}); err != nil {
			log.Fatal(err)
		}
	}

	mail := func(stopAt string) {
		for ev, err := range store.SubscribeFrom(ctx, "mailer", fdblayer.SubscribeOptions{}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("mail for", ev.Stream)
			if ev.Stream == stopAt {
				break
			}
		}
	}
	mail("order-1")
	fmt.Println("restarted")
	mail("order-2")
	// Output:
	// mail for order-1
	// restarted
	// mail for order-1
	// mail for order-2
}

// The projection counts the orders of each customer. The counts and the projection's
// place are written in one transaction: each event counts exactly once.
func ExampleStore_Project() {
	ctx, cancel := context.WithCancel(context.Background())
	store := openExample(ctx)
	defer store.Close()
	for _, customer := range []string{"ann", "bob", "ann"} {
		if _, err := store.Append(ctx, "orders", fdbevents.Any, fdbevents.EventData{Type: "OrderPlaced", Data: []byte(customer)}); err != nil {
			log.Fatal(err)
		}
	}

	o := fdblayer.ProjectOptions{CaughtUp: cancel} // a service lets it run on
	err := store.Project(ctx, "orders-by-customer", o, func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
		view, err := tx.View("orders-by-customer")
		if err != nil {
			return err
		}
		for _, ev := range events {
			view.Add(ev.Data, 1)
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}

	_, err = store.Transact(context.Background(), func(tx *fdblayer.Tx) error {
		view, err := tx.View("orders-by-customer")
		if err != nil {
			return err
		}
		ann, err := view.Get([]byte("ann"))
		if err == nil {
			fmt.Println("ann:", binary.LittleEndian.Uint64(ann))
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// ann: 2
}

func ExampleStore_SetCheckpoint() {
	ctx := context.Background()
	store := openExample(ctx)
	defer store.Close()
	result, err := store.Append(ctx, "order-1", fdbevents.Any, fdbevents.EventData{Type: "OrderPlaced"})
	if err != nil {
		log.Fatal(err)
	}

	if err := store.SetCheckpoint(ctx, "mailer", result.Position); err != nil {
		log.Fatal(err)
	}
	at, err := store.Checkpoint(ctx, "mailer")
	fmt.Println(at == result.Position, err)
	// Output:
	// true <nil>
}
