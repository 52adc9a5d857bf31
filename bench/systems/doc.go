// Package systems has the systems of this module for the benchmark harness:
// fdbevents itself, on each of its engines, and the limits that it is measured
// against. The peers are in a module of their own, bench/peers.
package systems
