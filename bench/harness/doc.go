// Package harness measures systems that keep events, side by side: each runs the
// same workloads in a process of its own, in turns, so that what else the machine
// does meets all of them alike.
//
//   - A System is a contestant, an Instance one that is open.
//   - A Workload says what is done to it, a Sample what that took in one turn.
//   - A Session is workloads that follow one another on the same data.
//   - Run carries out sessions and makes a Report.
//
// Serve turns a program into the process that a system runs in.
package harness
