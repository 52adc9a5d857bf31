package groups_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
)

// A member joins a group and acknowledges what it is handed.
func Example() {
	ctx := context.Background()
	store, err := engines.OpenStore(ctx, "mem:", fdblayer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	for _, typ := range []string{"OrderPlaced", "OrderPaid", "OrderShipped"} {
		if _, err := store.Append(ctx, "order-1", fdbevents.Any, fdbevents.EventData{Type: typ}); err != nil {
			log.Fatal(err)
		}
	}

	group, err := groups.Open(ctx, store, "mails", groups.Options{Filter: fdbevents.InStreams("order-")})
	if err != nil {
		log.Fatal(err)
	}
	member, err := group.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer member.Close()

	for msg, err := range member.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(msg.Event.Stream, msg.Event.Revision, msg.Event.Type)
		if err := msg.Ack(ctx); err != nil {
			log.Fatal(err)
		}
		if msg.Event.Type == "OrderShipped" {
			break
		}
	}
	// Output:
	// order-1 0 OrderPlaced
	// order-1 1 OrderPaid
	// order-1 2 OrderShipped
}
