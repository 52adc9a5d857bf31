// Package ingest appends many events to a store, fast, and reports exactly how many of them
// are stored.
//
//	summary, err := ingest.Run(ctx, store, jsonl.NewReader(file, jsonl.Defaults{}), ingest.Options{Expected: fdbevents.Any})
//
// Many appends are under way at once, so that they share transactions and disk syncs.
// Events of a stream keep their order. Events of different streams may get another order in
// the log than in the input, unless [Options].InOrder is set. Memory is bounded: at most
// about 64 MiB of events are under way.
//
// Input whose events have ids can be ingested again after a failure, because the store
// recognises the events it already has.
package ingest
