// Package groups shares the events of a store among the members of a consumer group, in
// any number of processes, with acknowledgement.
//
// A [Group] selects events with a filter. Its members, see [Group.Join], divide the
// partitions of the log: a member holds each of its partitions by a lease, which it keeps
// with heartbeats. When members come, go or fall silent for a LeaseTime, leases move.
// Each taking of a lease has a higher epoch, and a member settles under its epoch only:
// after it has lost a lease, the store refuses what it settles.
//
// A consumer ranges over [Member.Messages] and settles each [Message]. Ack says that the
// work is done. Nack retries the message after a pause, parks it, or skips it. A message
// that is not settled within the group's MessageTimeout counts as a failed attempt; after
// MaxRetries retries it is parked. Parked messages stay with the group, see
// [Group.Parked], until [Group.Replay] delivers them again.
//
// # What is promised
//
//   - Every selected event is delivered until it is settled or parked: at least once. An
//     event may come again after a crash, a lost lease, or an error from Ack.
//   - When Ack returns nil, that is durable, and the message is not delivered again,
//     unless [Group.Reset] moves the group back.
//   - Events of a stream come in order, one at a time: the next one is delivered when the
//     one before is settled or parked. A replayed event comes out of this order. Streams
//     do not wait for one another, until a member has read as far ahead as it may.
//   - A member that lost a lease without knowing it may go on working for a moment, beside
//     the one that took it. [Message.Epoch] fences what consumers write elsewhere.
package groups
