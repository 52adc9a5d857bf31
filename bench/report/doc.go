// Package report presents a harness.Report: as a document, against the project's
// targets, and compared with an earlier report.
//
//   - Markdown writes the document, which can show the plots of package plot.
//   - Summary writes one table, for a terminal.
//   - Targets returns what fdbevents promises; Target.Evaluate evaluates one promise.
//   - Compare finds what has become slower since another report.
//
// All functions depend only on their arguments: the same report gives the same bytes.
// Calls that share a writer must not be concurrent.
package report
