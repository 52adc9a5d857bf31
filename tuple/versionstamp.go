package tuple

import "fmt"

// Versionstamp orders what was committed, across transactions and within one.
type Versionstamp struct {
	// TransactionVersion is chosen by the database at commit: 8 bytes of commit
	// version and 2 bytes of order within it, both big-endian.
	TransactionVersion [10]byte
	// UserVersion is chosen by the writer, to order what one transaction writes.
	UserVersion uint16
}

// The transaction version is encoded with 10 bytes, the user version with 2.
const versionstampSize = 12

// unset is the transaction version that is still to be filled in.
var unset = [10]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

// IncompleteVersionstamp returns a versionstamp whose transaction version the
// database fills in at commit. See [Tuple.PackWithVersionstamp].
func IncompleteVersionstamp(user uint16) Versionstamp {
	return Versionstamp{TransactionVersion: unset, UserVersion: user}
}

// Complete reports whether the transaction version is known. It is not while
// all of its bytes are 0xFF.
func (v Versionstamp) Complete() bool { return v.TransactionVersion != unset }

// String gives both versions, for people.
func (v Versionstamp) String() string {
	if !v.Complete() {
		return fmt.Sprintf("incomplete:%d", v.UserVersion)
	}
	return fmt.Sprintf("%x:%d", v.TransactionVersion, v.UserVersion)
}
