package redisbroker_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
)

// asMember is the variable that makes the test below the process that dies: it has
// the server and the prefix.
const asMember = "REDISBROKER_TEST_MEMBER"

// TestAHeartbeatLeaseFindsMembersThatDiedMuchSooner kills a process whose channels
// are in a group that they would leave a day later: the lease is the connection,
// which each side keeps alive by what it says of itself.
func TestAHeartbeatLeaseFindsMembersThatDiedMuchSooner(t *testing.T) {
	if of := os.Getenv(asMember); of != "" {
		beAMember(t, of)
		return
	}
	cfg := shared(t, broker.Config{GroupExpiry: broker.DefaultGroupExpiry})
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), asMember+"="+cfg.Hosts[0]+" "+cfg.Prefix)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := child.StdinPipe() // which it waits for
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "joined\n" {
		t.Fatalf("the process says %q, %v", line, err)
	}
	if n := heard(t, cfg, "g:group"); n != 1 {
		t.Errorf("%d processes hear the group, want the one that is about to die", n)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	if _, failed := errors.AsType[*exec.ExitError](child.Wait()); !failed {
		t.Error("the process has ended by itself")
	}
	eventually(t, "the dead have left", func() bool { return heard(t, cfg, "g:group") == 0 })
	t.Logf("left %s after the death, where the group's expiry is %s", time.Since(died), cfg.GroupExpiry)
}

// beAMember joins a group and stays until the process is killed.
func beAMember(t *testing.T, of string) {
	t.Helper()
	host, prefix, _ := strings.Cut(of, " ")
	b := open(t, redisbroker.Config{Hosts: []string{host}, Prefix: prefix})
	send(t, b.GroupAdd(t.Context(), "group", channelOf(t, b)))
	if _, err := fmt.Fprintln(os.Stdout, "joined"); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, os.Stdin) // until the parent is gone, if it does not kill
}
