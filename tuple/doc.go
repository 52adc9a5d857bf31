// Package tuple packs lists of typed values into byte strings that sort as the
// lists do, and unpacks them again. It uses the encoding of FoundationDB's tuple
// layer, byte for byte: every other binding can read keys written here, and the
// reverse.
//
// There are two ways to use it. [Tuple] with [Tuple.Pack] and [Unpack] is the
// convenient one. The Append and Read functions handle one element each without
// boxing it; [Tuple] is built on them.
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
// Integers come back as the first of int64, uint64 and *big.Int that holds them,
// whatever type they were packed from. An empty byte string or tuple comes back
// empty, not nil.
//
// A string is packed byte for byte. A Go string need not be UTF-8, and neither
// this package nor FoundationDB's Go binding requires it, in either direction;
// the Java and Python bindings refuse to unpack a string that is not UTF-8.
// Callers that share keys with those bindings can check with
// [unicode/utf8.ValidString].
//
// # Order
//
// bytes.Compare of two packed tuples gives the order of the tuples: element by
// element, with a tuple before those that extend it. Elements of different types
// are in the order null, byte string, string, nested tuple, integer, float32,
// float64, bool, UUID, versionstamp. Floats follow the IEEE total order: NaNs
// with the sign bit set, -Inf, the numbers with -0 before +0, +Inf, the other
// NaNs.
//
// # Malformed and unusual input
//
// Reading never panics. Malformed input yields a [*DecodeError] that says where
// the fault is; strings and nested tuples without a terminator, which some
// bindings let pass, are malformed. One kind of truncation cannot be detected: a
// cut between a zero byte of a string, or a null in a nested tuple, and its
// escape. The remainder ends like a whole string or tuple.
//
// Integers with leading zero bytes, and small integers in the form for big ones,
// are never written but are accepted, as the official bindings accept them. They
// are read as the number they represent, so packing them again gives the usual,
// shorter form.
//
// # Memory
//
// Append functions extend dst as the built-in append does: they allocate only
// when its capacity is too small, and the argument must not overlap the spare
// capacity of dst. Nothing keeps a reference to its arguments, except that
// [ReadBytes] may return a part of its input and every Read function returns the
// rest of it.
//
// Lengths and offsets are in bytes.
package tuple
