package systems

const (
	aboutOnFoundationDB = "this project on FoundationDB: the cluster in FDB_CLUSTER_FILE, or one process on this machine"
	aboutFoundationDB   = "a plain loop on FoundationDB with the same mutations, bytes and batches, but no reads and no checks"
)
