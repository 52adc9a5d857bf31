// Package storetest is for tests of the store and of what lives over it: engines of
// every kind, healthy and failing, each with an empty store that is checked afterwards.
package storetest
