// Package tuple packs lists of typed values into byte strings that sort as the
// lists do, and back. It speaks FoundationDB's tuple layer, byte for byte, so
// that keys written here can be read by every other binding, and the reverse.
//
// There are two ways in. [Tuple] with [Tuple.Pack] and [Unpack] is the
// comfortable one. The Append and Read functions handle one element each
// without boxing it; the comfortable way is made of them.
//
// # Elements
//
// In a [Tuple], and as [Unpack] and [Read] return them:
//
//	nil                    null
//	[]byte                 byte string
//	string                 Unicode string
//	Tuple                  nested tuple
//	int64                  integer; Pack takes every built-in integer type
//	uint64                 integer above the range of int64
//	*big.Int               integer of at most 255 bytes, either sign
//	float32, float64       IEEE 754, every bit kept, NaNs too
//	bool                   false, true
//	UUID                   16 bytes
//	Versionstamp           12 bytes
//
// Integers come back in the first of int64, uint64 and *big.Int that holds
// them, whatever type they were packed from. An empty byte string or tuple
// comes back empty and not nil.
//
// A string is packed with the bytes it has. A Go string need not be UTF-8, and
// neither this package nor FoundationDB's Go binding insists on it, in either
// direction; the Java and Python bindings refuse to unpack what is not. Callers
// that share keys with those check with [unicode/utf8.ValidString].
//
// # Order
//
// bytes.Compare of two packed tuples is the order of the tuples: element by
// element, and a tuple comes before those that extend it. Elements of different
// types are in the order null, byte string, string, nested tuple, integer,
// float32, float64, bool, UUID, versionstamp. Floats follow the IEEE total
// order: NaNs with the sign bit, -Inf, the numbers with -0 before +0, +Inf, the
// other NaNs.
//
// # Malformed and unusual input
//
// Reading never panics. What is malformed yields a [*DecodeError], which says
// where; this includes strings and nested tuples without a terminator, which
// some bindings let pass. One cut cannot be noticed: between a zero byte of a
// string, or a null in a nested tuple, and its escape. What is left ends like a
// whole string or tuple.
//
// Integers with leading zero bytes, or in the form for big integers although
// they are small, are never written but are accepted, as by the official
// bindings. They come back as the number that they are, so packing them again
// gives the ordinary, shorter form.
//
// # Memory
//
// Append functions extend dst as the built-in append does: they allocate only
// when its capacity does not suffice, and the argument must not overlap the
// spare capacity of dst. Nothing keeps a reference to its arguments, save that
// [ReadBytes] may return a part of its input, and every Read function returns
// the rest of it.
//
// Lengths and offsets are in bytes.
package tuple
