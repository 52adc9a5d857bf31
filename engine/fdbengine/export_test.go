//go:build fdb

package fdbengine

import "github.com/fdbevents/fdbevents/engine"

// OpenUnasked opens a cluster without asking whether it answers.
func OpenUnasked(clusterFile string) (*Engine, error) {
	db, err := openDatabase(clusterFile)
	if err != nil {
		return nil, err
	}
	return newEngine(db, clusterFile, nil), nil
}

// ApproximateSize is what the client takes for the size of a transaction.
func ApproximateSize(tr engine.Transaction) (int64, error) {
	return tr.(*transaction).tr.GetApproximateSize().Get()
}
