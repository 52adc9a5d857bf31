// Package systems provides the systems of this module to the benchmark harness:
// fdbevents on each of its engines, and the limits that it is measured against. The
// peers are in a separate module, bench/peers.
package systems
