package check_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
)

func ExampleRun() {
	ctx := context.Background()
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	store, err := fdblayer.Open(ctx, e, fdblayer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Append(ctx, "order-1", fdbevents.NoStream,
		fdbevents.EventData{Type: "OrderPlaced", Tags: []string{"customer:7"}},
		fdbevents.EventData{Type: "OrderShipped", Tags: []string{"customer:7", "express"}},
	); err != nil {
		log.Fatal(err)
	}

	report, err := check.Run(ctx, store, check.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("events:", report.Events)
	fmt.Println("streams:", report.Streams)
	fmt.Println("ids:", report.IDs)
	fmt.Println("tags:", report.Tags)
	for _, problem := range report.Problems {
		fmt.Println(problem)
	}
	fmt.Println("ok:", report.OK())

	// Output:
	// events: 2
	// streams: 1
	// ids: 2
	// tags: 3
	// ok: true
}
