// Package jsonl reads and writes events as JSON lines, one object per event:
//
//	{"stream":"order-1","revision":0,"position":"0006…","id":"UUID","type":"OrderPlaced",
//	 "contentType":"application/json","tags":["customer:7"],"created":"2026-01-31T12:00:00Z",
//	 "data":{"any":"JSON"},"metadata":{"any":"JSON"}}
//
// A [Writer] writes stored events, a [Reader] reads events to append. A Reader accepts what
// a Writer wrote and keeps every byte of data, so events can be copied between stores, and
// edited on the way with any tool for text lines. An event to append needs a type and a
// stream. Its revision and position are ignored, because the store chooses them.
//
// Data and metadata that are JSON appear in the line unchanged: nothing is reformatted, and
// numbers keep all their digits. Bytes that are not JSON are in "dataBase64" and
// "metadataBase64". JSON with line breaks, or with space around it, appears in both forms,
// one readable and one exact. "erased":true marks an event without its data.
//
// If a line has no content type, it is "application/json", or the store's default if the
// data is base64.
//
// A Reader or a Writer may be used by one goroutine at a time.
package jsonl
