// Package pebbleengine is the embedded engine: the semantics of package engine on
// one machine, in a directory or in memory, without a server.
//
// It has two halves that meet at the backend interface.
//
// The upper half is everything that belongs to one transaction: its buffered
// writes, reading through them (overlay), conflict ranges, limits, retries.
//
// The lower half is the store: a Pebble database and the sequencer that commits
// in groups. A commit that finds no leader at work becomes the leader of the next
// group, in its own goroutine; commits that arrive while it works wait and form
// the group after it. A leader checks each transaction of its group, in order,
// against the writes of recent commits and of the group itself, stamps those that
// pass, and writes them as one Pebble batch. While it waits for the disk, the
// next leader prepares its group. Then it publishes the group's version together
// with a Pebble snapshot, which all transactions that read at this version share.
// So nobody reads data that is not on disk, a read version is exactly one
// snapshot, and one disk write carries many commits.
//
// A directory has one store at a time, in the process that holds the directory's
// lock. That process serves the backend interface on a Unix socket in the
// directory. Any other Engine on the same directory, in this process or another,
// attaches there, and takes the lock over when the holder is gone.
package pebbleengine
