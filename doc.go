// Package fdbevents is the language of an event store: events and what is said of
// them. It has no store; [github.com/fdbevents/fdbevents/fdblayer] is one, and clients
// and commands speak of events in the same words.
//
//   - [EventData] goes in, [Event] comes out.
//   - [Position] is an event's place in the one log of all streams; its revision is its
//     place in its stream.
//   - [ExpectedRevision] is what a writer believes about one stream, [Condition] what it
//     believes about all events that a [Query] selects.
//   - [Filter] is what a reader wants.
//   - [KindOf] sorts errors. Sentinels are matched with errors.Is, typed errors with
//     errors.As.
package fdbevents
