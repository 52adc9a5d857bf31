package fdbtest

// Faults returns environment variables that make a process's FoundationDB client
// misbehave: about one in four of the operations that can fail then do, with the
// errors of a cluster in trouble, including unknown commit results.
func Faults() []string {
	return []string{
		"FDB_NETWORK_OPTION_CLIENT_BUGGIFY_ENABLE=",
		"FDB_NETWORK_OPTION_CLIENT_BUGGIFY_SECTION_ACTIVATED_PROBABILITY=100",
		"FDB_NETWORK_OPTION_CLIENT_BUGGIFY_SECTION_FIRED_PROBABILITY=25",
	}
}
