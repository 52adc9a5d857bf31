// Package harness measures event stores side by side. Each system runs the same
// workloads in its own process, and the systems take turns, so that other load on
// the machine affects all of them alike.
//
//   - A System is a contestant, an Instance an open System.
//   - A Workload says what is done to it, a Sample what one turn of that took.
//   - A Session is a series of workloads on the same data.
//   - Run carries out sessions and makes a Report.
//
// Serve turns a program into the process that a system runs in.
package harness
