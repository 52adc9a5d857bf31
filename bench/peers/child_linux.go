package main

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the command when this process ends, in
// whatever way.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// runAs has the command run as another user, who may yet reach files below folders
// that are closed to him.
func runAs(cmd *exec.Cmd, uid, gid int) {
	const dacOverride = 1 // CAP_DAC_OVERRIDE
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		AmbientCaps: []uintptr{dacOverride},
	}
}
