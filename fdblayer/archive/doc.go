// Package archive moves events between stores, and keeps them outside of one, in a
// portable file: compressed, checksummed, and independent of engine and machine.
//
// # The file
//
// An archive is the 12 bytes of the magic, 0x89 "FDBEVENT" 0x0D 0x0A 0x1A, and then
// frames to the end. A frame is
//
//	kind      1 byte: 'H', 'E', 'S' or 'F'
//	length    4 bytes, big endian: that of the payload
//	checksum  4 bytes, big endian
//	payload
//
// The checksum is the CRC-32C (Castagnoli) of everything in the file up to the end
// of this frame, except the checksums themselves. So a frame that was changed,
// moved, doubled or left out breaks the chain there.
//
// Payloads are msgpack. First comes one header:
//
//	[format, archive id, store id, created, end, query, stream prefix]
//
// where format is 1, the ids are 16 bytes, created is nanoseconds since 1970, end
// is the position of the last event that there was, and query is its text form,
// empty for everything. Then come blocks of events, 'E', and after these blocks of
// stream settings, 'S':
//
//	[count, first, last, size, zstd]
//
// where zstd is one Zstandard frame of size bytes when decompressed, which are count
// msgpack arrays; first and last are the positions of the first and last event,
// or in an 'S' block the names of the streams. An event is
//
//	[position, stream, revision, id, type, content type, [tag, …], created, data, metadata, erased]
//
// and a stream's settings are
//
//	[stream, last revision, truncate before, max age, max count, deleted, tombstoned, metadata]
//
// with positions as 24 hex digits, ages in nanoseconds, data and metadata as bytes.
// Events are in the order of the log, streams in that of their names. A footer is
// the last frame, without which the archive is not complete:
//
//	[events, streams, blocks, last]
//
// with the number of each, and the position of the last event, empty when there is
// none.
//
// # What is in it
//
// An archive without a query holds all events of its streams that are in the log,
// with what readers of the streams do not see any more but nobody has scavenged,
// and the settings of the streams. Importing it gives streams that behave alike,
// with the same revisions. An archive of a query holds what readers of the streams
// see, without settings; its events get new revisions, since theirs have gaps.
// Checkpoints, projections, consumer groups and the application's own keys are not
// in it, nor are the ids of events that were scavenged.
package archive
