package systems

import "runtime/debug"

// moduleVersion returns the version of a module that this program is built with, or ""
// if the build does not record it.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return ""
}
