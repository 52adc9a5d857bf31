// Package report says what a harness.Report means: as a document, against the
// project's targets, and compared with an earlier one.
//
//   - Markdown writes the document, which can show the plots of package plot.
//   - Summary writes one table, for a terminal.
//   - Targets are what fdbevents promises; Target.Evaluate measures one.
//   - Compare finds what has become slower since another report.
//
// Everything here depends on its arguments alone: the same report gives the same
// bytes. No function may be called from several goroutines with the same writer.
package report
