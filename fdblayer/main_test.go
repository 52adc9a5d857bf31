package fdblayer_test

import (
	"os"
	"testing"

	"github.com/fdbevents/fdbevents/internal/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
