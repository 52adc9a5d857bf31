// Package jsonl is the JSON form of events, one JSON object a line:
//
//	{"stream":"order-1","revision":0,"position":"0006…","id":"UUID","type":"OrderPlaced",
//	 "contentType":"application/json","tags":["customer:7"],"created":"2026-01-31T12:00:00Z",
//	 "data":{"any":"JSON"},"metadata":{"any":"JSON"}}
//
// A [Writer] writes stored events, a [Reader] reads events to append. A Reader takes
// what a Writer wrote, byte for byte, so that events can be copied from store to store
// with the tools that people have for lines. An event to append needs a type and a
// stream; its revision and position are ignored, because the store chooses them.
//
// Data and metadata that are JSON stand in the line as they are: nothing is
// reformatted, and numbers keep all their digits. Bytes that are not JSON are in
// "dataBase64" and "metadataBase64". JSON with line breaks, or with space around it, is
// there in both forms, one to look at and one that is exact. "erased":true marks an
// event without its data.
//
// Where a line says no content type, its data is "application/json"; where its data is
// base64, the store's default holds.
//
// Readers and writers are for one goroutine at a time.
package jsonl
