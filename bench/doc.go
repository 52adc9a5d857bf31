// Package bench measures fdbevents against the limit set by the engine below
// it. Its benchmarks interleave both in one run and print ratios, since machines
// are noisy:
//
//	go test ./bench -bench . -benchtime 1x
//
// Nothing here fails for being slow.
package bench
