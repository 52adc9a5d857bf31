package tuple

// Type codes, the first byte of every element.
// Source: apple/foundationdb design/tuple.md.
const (
	codeNil          = 0x00
	codeBytes        = 0x01
	codeString       = 0x02
	codeNested       = 0x05
	codeBigNegative  = 0x0B // length byte, complemented, and 9 to 255 bytes
	codeIntZero      = 0x14 // plus or minus the number of bytes, up to 8
	codeBigPositive  = 0x1D // length byte and 9 to 255 bytes
	codeFloat32      = 0x20
	codeFloat64      = 0x21
	codeFalse        = 0x26
	codeTrue         = 0x27
	codeUUID         = 0x30
	codeVersionstamp = 0x33
)

// Strings and nested tuples end with a zero byte. A zero byte, or a null, that
// belongs to the content is followed by the escape. The escape is no type code,
// so it cannot follow the terminator.
const (
	terminator = 0x00
	escape     = 0xFF
)

// maxIntBytes is the length of the longest integer: the length is stored in one
// byte.
const maxIntBytes = 255

// kind names the type that code stands for; it is empty for an unknown code.
func kind(code byte) string {
	switch {
	case code == codeNil:
		return "null"
	case code == codeBytes:
		return "byte string"
	case code == codeString:
		return "string"
	case code == codeNested:
		return "nested tuple"
	case isInteger(code):
		return "integer"
	case code == codeFloat32:
		return "float32"
	case code == codeFloat64:
		return "float64"
	case code == codeFalse, code == codeTrue:
		return "bool"
	case code == codeUUID:
		return "UUID"
	case code == codeVersionstamp:
		return "versionstamp"
	}
	return ""
}

func isInteger(code byte) bool {
	return codeBigNegative <= code && code <= codeBigPositive
}
