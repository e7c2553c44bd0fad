package manage

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/servers"
)

// asProgram is the variable that makes the test binary an app's binary.
const asProgram = "MANAGE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		b := &bench{}
		b.app = &fakeApp{note: b.note}
		Main(Config{Name: "board", Open: b.open})
	}
	goleak.VerifyTestMain(servers.Main(m))
}

func TestSignalEndsTheProgramInGoodOrder(t *testing.T) {
	program := exec.CommandContext(t.Context(), os.Args[0], "runserver", "--addr", "127.0.0.1:0", "--db", filepath.Join(t.TempDir(), "app.db"))
	program.Env = append(os.Environ(), asProgram+"=1")
	var errOut strings.Builder
	program.Stderr = &errOut
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "board: listening on http://127.0.0.1:") {
		t.Errorf("the first line is %q, %v", line, err)
	}
	if err := program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err != nil {
		t.Errorf("the program ended with %v\n%s", err, errOut.String())
	}
	if !strings.Contains(errOut.String(), "level=INFO msg=stopping") {
		t.Errorf("the log is %q", errOut.String())
	}
}
