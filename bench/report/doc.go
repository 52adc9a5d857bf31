// Package report says what a harness.Report means: as a document with plots,
// against the project's targets, and compared with an earlier one.
//
//   - Plots draws, Markdown writes the document that shows them.
//   - Targets are what fdbevents promises; Target.Evaluate measures one.
//   - Compare finds what has become slower since another report.
//
// Everything here depends on its arguments alone: the same report gives the same
// bytes. No function may be called from several goroutines with the same writer.
package report
