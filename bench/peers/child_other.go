//go:build !linux

package main

import "os/exec"

// dieWithParent has no counterpart here: a server outlives a process that is killed.
func dieWithParent(*exec.Cmd) {}

// runAs does nothing: the command runs as the user of this process.
func runAs(*exec.Cmd, int, int) {}
