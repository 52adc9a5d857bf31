package main

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill the command when this process ends, however it
// ends.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// runAs makes the command run as another user, who may still reach files under
// directories that are closed to that user.
func runAs(cmd *exec.Cmd, uid, gid int) {
	const dacOverride = 1 // CAP_DAC_OVERRIDE
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		AmbientCaps: []uintptr{dacOverride},
	}
}
