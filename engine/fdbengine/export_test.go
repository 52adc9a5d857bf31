//go:build fdb

package fdbengine

import "github.com/fdbevents/fdbevents/engine"

// OpenUnasked opens a cluster without checking that it answers.
func OpenUnasked(clusterFile string) (*Engine, error) {
	db, err := openDatabase(clusterFile)
	if err != nil {
		return nil, err
	}
	return newEngine(db, clusterFile, nil), nil
}

// ApproximateSize returns the client's estimate of a transaction's size.
func ApproximateSize(tr engine.Transaction) (int64, error) {
	return tr.(*transaction).tr.GetApproximateSize().Get()
}
