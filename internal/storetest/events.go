package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// Fill appends at least n events to the streams s0 to s9 at random, always the same for
// the same n, and returns them as a reader should see them, without ids and positions.
func Fill(t *testing.T, s *fdblayer.Store, n int) []fdbevents.Event {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	revisions := make(map[string]int64)
	var want []fdbevents.Event
	for len(want) < n {
		stream := fmt.Sprint("s", rng.IntN(10))
		var events []fdbevents.EventData
		for range 1 + rng.IntN(3) {
			ev := Event(fmt.Sprint("type", rng.IntN(3)))
			for tag := range 3 {
				if rng.IntN(2) == 0 {
					ev.Tags = append(ev.Tags, fmt.Sprint("tag", tag))
				}
			}
			if rng.IntN(20) == 0 {
				ev.Data = make([]byte, rng.IntN(200_000))
			}
			events = append(events, ev)
		}
		MustAppend(t, s, stream, fdbevents.Any, events...)
		for _, ev := range events {
			want = append(want, fdbevents.Event{Stream: stream, Revision: revisions[stream], Type: ev.Type, Tags: ev.Tags, Data: ev.Data})
			revisions[stream]++
		}
	}
	return want
}

// Query returns a query with these items.
func Query(items ...fdbevents.QueryItem) fdbevents.Query { return fdbevents.Query{Items: items} }

// Tagged is Event with tags.
func Tagged(typ string, tags ...string) fdbevents.EventData {
	ev := Event(typ)
	ev.Tags = tags
	return ev
}

// AppendTo returns an append to a stream that expects any revision.
func AppendTo(stream string, events ...fdbevents.EventData) fdbevents.StreamAppend {
	return fdbevents.StreamAppend{Stream: stream, Expected: fdbevents.Any, Events: events}
}

// EachStorePair is EachStore with two stores on one engine that know nothing of each
// other, as in two processes.
func EachStorePair(t *testing.T, test func(t *testing.T, a, b *fdblayer.Store)) {
	EachEngine(t, func(t *testing.T, e EngineT) {
		test(t, OpenStore(t, e, fdblayer.Options{}), OpenStore(t, e, fdblayer.Options{}))
	})
}

// EachHealthyStorePair is EachStorePair with the engines of EachHealthyEngine.
func EachHealthyStorePair(t *testing.T, test func(t *testing.T, a, b *fdblayer.Store)) {
	EachHealthyEngine(t, func(t *testing.T, e EngineT) {
		test(t, OpenStore(t, e, fdblayer.Options{}), OpenStore(t, e, fdblayer.Options{}))
	})
}

// OK ends the test if err is not nil.
func OK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
