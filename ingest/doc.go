// Package ingest appends many events to a store, fast, and knows at the end what of
// them is stored.
//
//	summary, err := ingest.Run(ctx, store, jsonl.NewReader(file, jsonl.Defaults{}), ingest.Options{Expected: fdbevents.Any})
//
// Many appends are under way at once, so that they share transactions and syncs of the
// disk. Events of a stream keep their order. The log can have events of different
// streams in another order than the input has, unless [Options].InOrder says otherwise.
// Memory is bounded: about 64 MiB of events are under way.
//
// An input whose events have ids can be ingested again after a failure, because the
// store recognises what it has.
package ingest
