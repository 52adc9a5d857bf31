// Package fdblayer is an event store, built as a layer on an ordered, transactional
// key-value store: FoundationDB, or the embedded engine.
//
//	store, err := engines.OpenStore(ctx, "file:orders", fdblayer.Options{})
//	result, err := store.Append(ctx, "order-1", fdbevents.NoStream, fdbevents.EventData{Type: "OrderPlaced"})
//	for event, err := range store.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}) { … }
//
// Events, positions, queries and errors are types of the module's root package,
// [github.com/fdbevents/fdbevents]. A [Store] appends, reads, subscribes and transacts.
// A [Tx] puts appends and the application's own keys into one transaction.
//
// Reads end ([Store.ReadAll]); subscriptions do not ([Store.Subscribe]).
// [Store.SubscribeFrom] also keeps its place, and [Store.Project] keeps its place
// together with what is made of the events.
//
// # Guarantees
//
// An acknowledged event is durable, is never lost and appears once, in one total order
// that every reader sees alike. No reader skips an event. This holds under conflicts,
// restarts, kill -9, lost watches, slow readers, and commits whose outcome the engine
// cannot tell.
//
// # Errors
//
// Errors are those of the root package, wrapped with what was being done; its KindOf
// classifies them. Errors of the engine below come through as engine.Error.
package fdblayer
