package systems

const (
	aboutOnFoundationDB = "this project on FoundationDB: the cluster of FDB_CLUSTER_FILE, or one process on this machine"
	aboutFoundationDB   = "a plain loop on FoundationDB with the same mutations, bytes and batches, no reads, no checks"
)
