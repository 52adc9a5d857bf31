// Package plot draws the plots of a harness.Report for its document, as SVG files.
//
// It is separate from package report because the drawing library is large: programs
// that need only text and figures do not link it.
package plot
