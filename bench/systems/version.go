package systems

import "runtime/debug"

// moduleVersion is that of a module which this program is built with; empty when
// the build does not tell.
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
