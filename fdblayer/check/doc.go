// Package check verifies a store against itself and repairs what its log can restore.
//
//	report, err := check.Run(ctx, store, check.Options{})
//	if err == nil && !report.OK() {
//		fmt.Println(report.Problems)
//	}
//
// # What Run verifies
//
//   - Records: each has a valid checksum and lies in the partition of its stream. The
//     stream entry, the event id and every tag of the event lead back to it.
//   - Streams: revisions have no gaps and rise with positions, each entry leads to its
//     own event, and the head names the revision after the last.
//   - Indexes: each event id, tag and system index entry leads to an event that has it. An
//     id outlives a scavenged event, to recognise repeats.
//   - Doorbells: each was last rung for the last event of its partition.
//   - Readers: checkpoints, projections and consumer groups can be decoded, and lead to
//     positions of this log.
//
// A sample, [Options].Sample, verifies events chosen at random, together with everything
// that should lead to them. Surplus index entries are found only by a full check.
//
// # What Run repairs
//
// [Options].Repair rebuilds what follows from the records of the log: stream entries and
// the copies of records in them, event ids, tags, system index entries, the next revision
// of a head, and doorbells. It removes index entries that lead to another event. It never
// touches a record, nor anything that may be the last trace of a lost event. What readers
// keep is not repaired, because the log does not hold it.
//
// Other processes may write to the store during a check or a repair.
package check
