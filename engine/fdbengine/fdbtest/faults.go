package fdbtest

// Faults is what to add to a process's environment to make its FoundationDB
// client misbehave: about every fourth operation that can fail then does, with
// the errors that a cluster in trouble gives, commits of unknown result among
// them.
func Faults() []string {
	return []string{
		"FDB_NETWORK_OPTION_CLIENT_BUGGIFY_ENABLE=",
		"FDB_NETWORK_OPTION_CLIENT_BUGGIFY_SECTION_ACTIVATED_PROBABILITY=100",
		"FDB_NETWORK_OPTION_CLIENT_BUGGIFY_SECTION_FIRED_PROBABILITY=25",
	}
}
