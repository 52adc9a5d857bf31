package tuple

import "fmt"

// Versionstamp orders committed data, across transactions and within one.
type Versionstamp struct {
	// TransactionVersion is chosen by the database at commit: 8 bytes of commit
	// version and 2 bytes of order within it, both big-endian.
	TransactionVersion [10]byte
	// UserVersion is chosen by the writer, to order the items that one transaction
	// writes.
	UserVersion uint16
}

// The transaction version takes 10 bytes, the user version 2.
const versionstampSize = 12

// unset is a transaction version that is not filled in yet.
var unset = [10]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

// IncompleteVersionstamp returns a versionstamp whose transaction version the
// database fills in at commit. See [Tuple.PackWithVersionstamp].
func IncompleteVersionstamp(user uint16) Versionstamp {
	return Versionstamp{TransactionVersion: unset, UserVersion: user}
}

// Complete reports whether the transaction version is known. It is unknown while
// all of its bytes are 0xFF.
func (v Versionstamp) Complete() bool { return v.TransactionVersion != unset }

// String returns both versions, for people.
func (v Versionstamp) String() string {
	if !v.Complete() {
		return fmt.Sprintf("incomplete:%d", v.UserVersion)
	}
	return fmt.Sprintf("%x:%d", v.TransactionVersion, v.UserVersion)
}
