// Package archive copies events between stores, and keeps them outside a store, in a
// portable file: compressed, checksummed, and independent of engine and machine.
//
// # File format
//
// An archive is a magic number of 12 bytes, 0x89 "FDBEVENT" 0x0D 0x0A 0x1A, followed by
// frames up to the end of the file. A frame is
//
//	kind      1 byte: 'H', 'E', 'S' or 'F'
//	length    4 bytes, big endian: length of the payload in bytes
//	checksum  4 bytes, big endian
//	payload
//
// The checksum is the CRC-32C (Castagnoli) of everything in the file up to the end of
// this frame, except the checksums themselves. A frame that was changed, moved,
// duplicated or dropped therefore breaks the chain at that point.
//
// Payloads are msgpack. The first frame, 'H', is the header:
//
//	[format, archive id, store id, created, end, query, stream prefix]
//
// where format is 1, the ids are 16 bytes, created is nanoseconds since 1970, end is the
// position of the last event in the store when the export began, and query is the text
// form of the query, empty for everything. Blocks of events, 'E', follow, and then blocks
// of stream settings, 'S':
//
//	[count, first, last, size, zstd]
//
// where zstd is one Zstandard frame that decompresses to size bytes, which are count
// msgpack arrays. In an 'E' block, first and last are the positions of the first and the
// last event; in an 'S' block, the names of the first and the last stream. An event is
//
//	[position, stream, revision, id, type, content type, [tag, …], created, data, metadata, erased]
//
// and a stream's settings are
//
//	[stream, last revision, truncate before, max age, max count, deleted, tombstoned, metadata]
//
// with positions as 24 hex digits, ages in nanoseconds, data and metadata as bytes. Events
// are in log order, streams in order of their names. The last frame, 'F', is the footer,
// without which the archive is incomplete:
//
//	[events, streams, blocks, last]
//
// with the number of each, and the position of the last event, empty if there is no event.
//
// # Contents
//
// An archive without a query holds every event of its streams that is still in the log,
// including events that are hidden from readers of the streams but not yet scavenged, and
// the settings of the streams. The imported streams behave like the originals and have the
// same revisions. An archive with a query holds the selected events that readers of the
// streams see, and no settings; its events get new revisions when imported, because their
// old ones have gaps. Neither holds checkpoints, projections, consumer groups, the
// application's own keys, or the ids of scavenged events.
package archive
