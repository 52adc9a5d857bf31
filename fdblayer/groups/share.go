package groups

import (
	"cmp"
	"slices"

	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// shares returns how many partitions each member gets: as many as any other, or one
// more. The members that hold most get one more, so that as few partitions as possible
// move. All members that see the same leases and members get the same result.
func shares(leases []layout.GroupLease, members []uuid.UUID) map[uuid.UUID]int {
	owned := make(map[uuid.UUID]int)
	for _, l := range leases {
		owned[l.Owner]++
	}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b uuid.UUID) int {
		return cmp.Or(cmp.Compare(owned[b], owned[a]), slices.Compare(a[:], b[:]))
	})
	out := make(map[uuid.UUID]int, len(sorted))
	for i, id := range sorted {
		out[id] = len(leases) / len(sorted)
		if i < len(leases)%len(sorted) {
			out[id]++
		}
	}
	return out
}
