package groups

import (
	"reflect"
	"slices"
	"testing"

	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "members")
		members := make([]uuid.UUID, n)
		for i := range members {
			members[i] = uuid.UUID{byte(i + 1)}
		}
		owners := append(slices.Clone(members), uuid.Nil, uuid.UUID{99}) // nobody, and a member that is gone
		leases := make([]layout.GroupLease, rapid.IntRange(1, 40).Draw(t, "partitions"))
		owned := make(map[uuid.UUID]int)
		for p := range leases {
			leases[p].Owner = rapid.SampledFrom(owners).Draw(t, "owner")
			owned[leases[p].Owner]++
		}
		got := shares(leases, members)
		total, fewest, most := 0, len(leases), 0
		for _, id := range members {
			total += got[id]
			fewest, most = min(fewest, got[id]), max(most, got[id])
		}
		if total != len(leases) || most-fewest > 1 {
			t.Fatalf("%d partitions are shared as %v", len(leases), got)
		}
		for _, a := range members {
			for _, b := range members {
				if owned[a] > owned[b] && got[a] < got[b] {
					t.Fatalf("%v has %d and gets %d, %v has %d and gets %d", a, owned[a], got[a], b, owned[b], got[b])
				}
			}
		}
		// The result does not depend on the order of members.
		slices.Reverse(members)
		if !reflect.DeepEqual(shares(leases, members), got) {
			t.Fatal("the shares depend on the order of members")
		}
	})
}
