// Package fdbevents is the language of an event store: events, and the types that
// describe where they are, which ones are wanted and what went wrong. It has no store
// of its own: [github.com/fdbevents/fdbevents/fdblayer] is one, and clients and
// commands use the same types.
//
//   - A writer appends [EventData]; a reader gets [Event].
//   - [Position] is the place of an event in the one log of all streams. The event's
//     revision is its place in its stream.
//   - [ExpectedRevision] is what a writer believes about one stream, [Condition] what it
//     believes about all events that a [Query] selects.
//   - [Filter] says which events a reader wants.
//   - [KindOf] classifies errors. Match sentinel errors with errors.Is and typed errors with
//     errors.As.
package fdbevents
