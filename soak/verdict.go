package main

import (
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
)

// defect is a way in which a store can be wrong.
type defect int

const (
	missing defect = iota
	duplicated
	reordered
	gaps
	torn
	moved
	damaged
	uncalled
	disagreeing
	winners
	chains
	counters
	unshared
	outOfTurn
	projected
	lifetimes
	indexes
	refusals
	defects
)

var defectNames = [defects]string{
	missing:     "acknowledged and missing",
	duplicated:  "duplicated",
	reordered:   "reordered",
	gaps:        "gaps in revisions",
	torn:        "appends in part",
	moved:       "not where it was acknowledged",
	damaged:     "damaged",
	uncalled:    "present, though refused or never sent",
	disagreeing: "readers that disagree",
	winners:     "claims with several winners or without one",
	chains:      "conditions that did not hold",
	counters:    "transactions miscounted",
	unshared:    "group events never acknowledged",
	outOfTurn:   "group events out of turn",
	projected:   "projection differs",
	lifetimes:   "streams not as truncated",
	indexes:     "problems that Check found",
	refusals:    "errors that faults do not explain",
}

// examples is how many examples of each defect are printed.
const examples = 5

// verdict counts what is wrong. Its methods may be called from any goroutine.
type verdict struct {
	mu     sync.Mutex
	counts [defects]int
	first  [defects][]string
}

func (v *verdict) add(d defect, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[d]++
	if len(v.first[d]) < examples {
		v.first[d] = append(v.first[d], fmt.Sprintf(format, args...))
	}
}

func (v *verdict) total() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.counts {
		n += c
	}
	return n
}

// print writes the table, and the first examples of each defect.
func (v *verdict) print(w io.Writer) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for d, n := range v.counts {
		fmt.Fprintf(table, "%d\t %s\n", n, defectNames[d])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for d, texts := range v.first {
		for _, text := range texts {
			if _, err := fmt.Fprintf(w, "%s: %s\n", defectNames[d], text); err != nil {
				return err
			}
		}
	}
	return nil
}
