package tuple

import "fmt"

// UUID is an RFC 4122 identifier in network byte order. It can be converted to
// and from any other type whose underlying type is [16]byte.
type UUID [16]byte

// String returns the usual form: lower-case hexadecimal in five groups.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}
