package groups

import (
	"container/heap"
	"time"
)

// timers is a heap of deliveries by when they are due. Each delivery knows its index.
type timers []*delivery

// set starts the timer of a delivery, which must not have one already. It reports
// whether the timer is the first to be due.
func (t *timers) set(d *delivery, due time.Time) (first bool) {
	d.due = due
	heap.Push(t, d)
	return (*t)[0] == d
}

// clear stops the timer of a delivery, if it has one.
func (t *timers) clear(d *delivery) {
	if d.timer >= 0 {
		heap.Remove(t, d.timer)
	}
}

// The methods below implement heap.Interface.

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due.Before(t[j].due) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = i, j
}

func (t *timers) Push(x any) {
	d := x.(*delivery)
	d.timer = len(*t)
	*t = append(*t, d)
}

func (t *timers) Pop() any {
	old := *t
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	d.timer = -1
	return d
}
