// Package fdbengine is FoundationDB as an engine, through its official Go
// binding.
//
// It is compiled with the build tag fdb, and then needs cgo, libfdb_c 7.3 and its
// header; without the tag the package is empty.
//
// The binding knows no contexts. This package cancels a transaction when its
// context ends; the calls that then fail return the context's error. FoundationDB
// already does everything else that an engine promises, except what its client
// leaves to the application. That is the work of this package: it checks keys and
// values before the client sees them; it cuts pages at a byte bound, and yet
// conflicts with no more than it returned; and it makes an engine closable
// although the client's database handle, shared by everybody who opens the same
// cluster file, is not.
package fdbengine
