// Package fdblayer is an event store as a layer on an ordered, transactional
// key-value store: FoundationDB, or the embedded engine.
//
//	e, err := engines.Open(ctx, "file:orders")
//	store, err := fdblayer.Open(ctx, e, fdblayer.Options{})
//	result, err := store.Append(ctx, "order-1", fdblayer.NoStream, fdblayer.NewEvent{Type: "OrderPlaced"})
//	for event, err := range store.ReadAll(ctx, fdblayer.Start, fdblayer.ReadOptions{}) { … }
//
// A reader needs these types:
//
//   - [Store] appends, reads, subscribes and transacts.
//   - [NewEvent] goes in, [Event] comes out.
//   - [ExpectedRevision] is what a writer believes about one stream, [Condition]
//     what it believes about all events that a [Query] selects.
//   - [Position] is an event's place in the one log of all streams; its revision
//     is its place in its stream.
//   - [Tx] puts appends and the application's own keys into one transaction.
//   - [Group] is a subscription that its members share; [Member] hands out
//     [Message]s, which are acknowledged.
//
// Reads end, see [Store.ReadAll]; subscriptions do not, see [Store.Subscribe];
// [Store.SubscribeFrom] also keeps its place, and [Store.Project] keeps it together
// with what is made of the events.
//
// # What is promised
//
// An acknowledged event is durable, is never lost, appears once, and in one
// total order that every reader sees alike; no reader skips an event. That holds
// under conflicts, restarts, kill -9, lost watches, slow readers, and commits
// whose outcome the engine cannot tell.
//
// # Errors
//
// Sentinels are matched with errors.Is, typed errors with errors.As; both are
// wrapped with what was being done. Errors of the engine below come through as
// engine.Error.
package fdblayer
