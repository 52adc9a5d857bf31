// Package layout builds and parses every key and every stored value of a store; no
// other code composes their bytes. [Keys] builds and parses the keys. The other types
// are what values hold, each with functions that encode and decode it.
//
// An encoder appends to dst, like append, and keeps nothing: the result belongs to the
// caller. A decoder keeps nothing either, but its result may share src. Its error wraps
// ErrFormat if the format is unknown, and ErrCorrupt if src is not what an encoder makes,
// for example because bytes follow the value.
//
// All functions, and the methods of Keys, are safe for concurrent use.
package layout
