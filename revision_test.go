package fdbevents

import "testing"

func TestExpectedRevisionText(t *testing.T) {
	for _, e := range []ExpectedRevision{Any, NoStream, StreamExists, 0, 17} {
		if got, err := ParseExpectedRevision(e.String()); err != nil || got != e {
			t.Errorf("%s: its text parses as %s, %v", e, got, err)
		}
	}
	for _, text := range []string{"", "-1", "some", "1.5"} {
		want := `expected revision "` + text + `": want any, none, exists or a revision (0, 1, 2, …)`
		if _, err := ParseExpectedRevision(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want an error that lists what is valid", text, err)
		}
	}
}
