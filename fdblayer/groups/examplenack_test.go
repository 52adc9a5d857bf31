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

// A consumer parks a message that it cannot handle, and goes on with the stream. Later
// the message is replayed.
func ExampleMessage_Nack() {
	ctx := context.Background()
	store := openStore(ctx)
	defer store.Close()

	group, err := groups.Open(ctx, store, "mails", groups.Options{})
	if err != nil {
		log.Fatal(err)
	}
	member, err := group.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer member.Close()

	handled := 0
	for msg, err := range member.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if msg.Event.Type == "OrderPlaced" && !msg.Replayed {
			err = msg.Nack(ctx, groups.Park, "no address")
		} else {
			fmt.Println("handled", msg.Event.Type)
			err = msg.Ack(ctx)
			handled++
		}
		if err != nil {
			log.Fatal(err)
		}
		if handled == 2 {
			break
		}
		if msg.Event.Type == "OrderPaid" {
			replayParked(ctx, group)
		}
	}
	// Output:
	// handled OrderPaid
	// parked OrderPlaced: no address
	// replayed 1
	// handled OrderPlaced
}

// replayParked lists the parked messages of a group, and replays them.
func replayParked(ctx context.Context, group *groups.Group) {
	for parked, err := range group.Parked(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("parked %s: %s\n", parked.Event.Type, parked.Reason)
	}
	n, err := group.Replay(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("replayed", n)
}

// openStore opens a store in memory with two events of one stream.
func openStore(ctx context.Context) *fdblayer.Store {
	store, err := engines.OpenStore(ctx, "mem:", fdblayer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, typ := range []string{"OrderPlaced", "OrderPaid"} {
		if _, err := store.Append(ctx, "order-1", fdbevents.Any, fdbevents.EventData{Type: typ}); err != nil {
			log.Fatal(err)
		}
	}
	return store
}
