package manage

import (
	"errors"
	"strings"
	"testing"
)

func TestCreateuser(t *testing.T) {
	b := newBench(t)
	if got := b.run("lovelace\nmore\n", "createuser", "ada", "--name", "Ada Lovelace", "--password-stdin"); got != (outcome{out: "created user ada with id 1\n"}) {
		t.Errorf("%+v", got)
	}
	if got := b.run("hopper", "createuser", "grace", "--password-stdin"); got != (outcome{out: "created user grace with id 2\n"}) {
		t.Errorf("%+v", got)
	}
	b.wantSteps("migrate", "close", "migrate", "close")
}

func TestCreateuserRefuses(t *testing.T) {
	b := newBench(t)
	b.run("lovelace\n", "createuser", "ada", "--password-stdin")
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"taken", "x\n", []string{"ada", "--password-stdin"}, "board: create user ada: user exists\n"},
		{"empty", "\n", []string{"grace", "--password-stdin"}, "board: create user grace: the password is empty: choose one\n"},
		{
			"no terminal", "x\n", []string{"grace"},
			"board: read password: standard input is no terminal: give the password there and add --password-stdin\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := b.run(c.stdin, append([]string{"createuser"}, c.args...)...); got != (outcome{1, "", c.want}) {
				t.Errorf("%+v, want %s", got, c.want)
			}
		})
	}
	b.change = func(p *Project) { p.Users = nil }
	if got := b.run("x\n", "createuser", "grace", "--password-stdin"); !strings.Contains(got.errOut, "set Project.Users") {
		t.Errorf("%+v", got)
	}
}

func TestPromptAsksTwice(t *testing.T) {
	typed := func(lines ...string) func() (string, error) {
		return func() (string, error) {
			if len(lines) == 0 {
				return "", errors.New("closed")
			}
			line := lines[0]
			lines = lines[1:]
			return line, nil
		}
	}
	var out strings.Builder
	if got, err := prompt(&out, typed("lovelace", "lovelace")); got != "lovelace" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if want := "Password: \nPassword again: \n"; out.String() != want {
		t.Errorf("asked %q, want %q", out.String(), want)
	}
	if _, err := prompt(&out, typed("lovelace", "Lovelace")); err == nil || err.Error() != "the two differ: try again" {
		t.Errorf("error is %v", err)
	}
	if _, err := prompt(&out, typed("lovelace")); err == nil {
		t.Error("a closed terminal was taken for an answer")
	}
}
