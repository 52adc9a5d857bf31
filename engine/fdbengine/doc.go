// Package fdbengine is FoundationDB as an engine, through its official binding.
//
// It is compiled with the build tag fdb, and then needs cgo, libfdb_c 7.3 and
// its header; without the tag the package is empty.
//
// The binding knows no contexts. Here, a transaction is cancelled when its
// context ends, and what it then fails with is the context's error. Everything
// else an engine promises FoundationDB already does; this package adds what its
// client leaves to the application: it checks keys and values before the client
// sees them, it cuts pages at a byte bound and yet conflicts with no more than
// it returned, and it lets an engine be closed although the client's database
// handle, which is shared by all who open the same cluster file, cannot.
package fdbengine
