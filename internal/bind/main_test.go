package bind_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }
