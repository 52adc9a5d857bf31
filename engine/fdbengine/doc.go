// Package fdbengine is FoundationDB as an engine, through its official Go
// binding.
//
// It is compiled with the build tag fdb, and then needs cgo, libfdb_c 7.3 and its
// header; without the tag the package is empty.
//
// The binding knows no contexts. This package cancels a transaction when its
// context ends; the calls that then fail return the context's error. FoundationDB
// already does everything else that an engine promises, apart from a few things
// that its client leaves to the application. This package does them: it checks
// keys and values before the client sees them; it cuts pages at a byte bound, yet
// conflicts with no more than it returned; and it lets an engine be closed
// although the client's database handle, which is shared by everybody who opens
// the same cluster file, cannot be.
package fdbengine
