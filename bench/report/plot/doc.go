// Package plot draws pictures of a harness.Report for its document, as SVG files.
//
// It is apart from package report because of the library that draws, which is large:
// who wants text and figures only does not link it.
package plot
