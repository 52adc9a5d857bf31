// Package storetest helps to test the store and the packages above it. It runs a test on
// engines of every kind, healthy and failing, each with an empty store that is checked
// afterwards. Unless its comment says otherwise, a helper that fails ends the test.
package storetest
