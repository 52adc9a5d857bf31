// Package engine defines the database that fdbevents needs: an ordered key-value
// store with optimistic, serializable transactions, versionstamps and watches.
//
// Every implementation has FoundationDB's semantics; package enginetest writes
// each of them down as a test. A reader needs four types:
//
//   - [Engine] is an open database.
//   - [Transaction] reads at one read version, buffers its writes and commits
//     them atomically or not at all.
//   - [Future] is the result of a read that is already under way.
//   - [Error] is a failure, with FoundationDB's number for it.
//
// and one function: [Run], the only retry loop of the project.
//
// # Semantics
//
// A transaction reads a consistent snapshot: read version R sees exactly the
// commits whose version is at most R. It sees its own writes. A serializable read
// adds what it read to the transaction's read conflict ranges; a snapshot read
// (see [Transaction.Snapshot]) does not. A commit fails with [ErrConflict] when
// another transaction, committed after this one's read version, wrote into one of
// its read conflict ranges: the first committer wins, write skew and phantoms are
// refused. Transactions that only read never conflict, and two that only write
// never conflict with each other.
//
// Versionstamps rise with commit order. They are known only after the commit: a
// versionstamped key or value cannot be read in the transaction that writes it
// ([ErrUnreadable]).
//
// A commit that fails with [ErrCommitUnknown] may or may not have happened. When
// [Transaction.OnError] then allows a retry, the old attempt is no longer in
// flight. The caller must make the retry harmless.
package engine
