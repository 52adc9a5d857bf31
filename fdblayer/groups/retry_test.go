package groups

import (
	"testing"
	"time"
)

func TestRetryDelay(t *testing.T) {
	var total time.Duration
	for failed := 1; failed <= 100; failed++ {
		d := retryDelay(failed)
		if d < firstRetry || d > longestRetry || failed < 7 && d != firstRetry<<(failed-1) {
			t.Errorf("after %d failures: %v", failed, d)
		}
		if failed <= defaultMaxRetries {
			total += d
		}
	}
	if total != 42700*time.Millisecond {
		t.Errorf("the retries of one message take %v", total)
	}
}
