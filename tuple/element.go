package tuple

// Read reads an element of any type from the front of b; the package comment
// lists the types. The element shares no memory with b; rest does. When Read
// fails, err is a [*DecodeError].
func Read(b []byte) (v any, rest []byte, err error) { return read(b, 0) }

// read is Read inside depth nested tuples.
func read(b []byte, depth int) (v any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, mismatch(b, "an element")
	}
	switch code := b[0]; {
	case code == codeNil:
		return nil, b[1:], nil
	case code == codeBytes:
		text, _, rest, err := delimited(b, codeBytes)
		return boxed(unescape(text), rest, err)
	case code == codeString:
		return boxed(ReadString(b))
	case code == codeNested:
		t := Tuple{}
		rest, err := nested(b, depth, func(b []byte) ([]byte, error) {
			v, rest, err := read(b, depth+1)
			t = append(t, v)
			return rest, err
		})
		return boxed(t, rest, err)
	case isInteger(code):
		return readInteger(b)
	case code == codeFloat32:
		return boxed(ReadFloat32(b))
	case code == codeFloat64:
		return boxed(ReadFloat64(b))
	case code == codeFalse, code == codeTrue:
		return boxed(ReadBool(b))
	case code == codeUUID:
		return boxed(ReadUUID(b))
	case code == codeVersionstamp:
		return boxed(ReadVersionstamp(b))
	}
	return nil, nil, mismatch(b, "an element")
}

// boxed turns the result of a typed Read function into a result of Read.
func boxed[T any](v T, rest []byte, err error) (any, []byte, error) {
	if err != nil {
		return nil, nil, err
	}
	return v, rest, nil
}

// readInteger reads an integer as the first of int64, uint64 and *big.Int that
// holds it.
func readInteger(b []byte) (v any, rest []byte, err error) {
	digits, negative, rest, err := integer(b)
	if err != nil {
		return nil, nil, err
	}
	u, ok := magnitude(digits, negative)
	if !ok {
		return bigInt(digits, negative), rest, nil
	}
	if i, ok := signed(u, negative); ok {
		return i, rest, nil
	}
	if negative {
		return bigInt(digits, negative), rest, nil
	}
	return u, rest, nil
}

// Skip returns what follows the element, of any type, at the front of b. It fails
// when Read does, with the same error, and otherwise allocates nothing.
func Skip(b []byte) (rest []byte, err error) { return skip(b, 0) }

// skip is Skip inside depth nested tuples.
func skip(b []byte, depth int) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, mismatch(b, "an element")
	}
	switch code := b[0]; {
	case code == codeNil, code == codeFalse, code == codeTrue:
		return b[1:], nil
	case code == codeBytes, code == codeString:
		_, _, rest, err = delimited(b, code)
		return rest, err
	case code == codeNested:
		return nested(b, depth, func(b []byte) ([]byte, error) { return skip(b, depth+1) })
	case isInteger(code):
		_, _, rest, err = integer(b)
		return rest, err
	case code == codeFloat32:
		_, rest, err = fixed(b, code, 4)
		return rest, err
	case code == codeFloat64:
		_, rest, err = fixed(b, code, 8)
		return rest, err
	case code == codeUUID:
		_, rest, err = fixed(b, code, 16)
		return rest, err
	case code == codeVersionstamp:
		_, rest, err = fixed(b, code, versionstampSize)
		return rest, err
	}
	return nil, mismatch(b, "an element")
}

// nested calls visit for each element of the nested tuple at the front of b,
// which itself lies inside depth others. visit gets the element and everything
// after it, and returns what follows the element.
func nested(b []byte, depth int, visit func(b []byte) (rest []byte, err error)) (rest []byte, err error) {
	if depth >= MaxDepth {
		return nil, &DecodeError{Err: ErrTooDeep}
	}
	rest = b[1:]
	for len(rest) > 0 {
		null := rest[0] == codeNil
		if null && (len(rest) == 1 || rest[1] != escape) {
			return rest[1:], nil
		}
		next, err := visit(rest)
		if err != nil {
			return nil, shifted(err, len(b)-len(rest))
		}
		if null {
			next = next[1:] // the escape
		}
		rest = next
	}
	return nil, fault(ErrTruncated, "%s has no terminator", kind(codeNested))
}
