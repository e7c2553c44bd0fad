package manage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxPasswordLine bounds what is read of a password, in bytes; who takes it
// has a bound below it.
const maxPasswordLine = 64 << 10

// createuser is the command that adds a user. The password is never an
// argument, where every user of the machine could read it.
type createuser struct {
	Username      string `arg:"" help:"Name to log in by."`
	Name          string `help:"Name to show; the username unless given."`
	PasswordStdin bool   `help:"Read the password from the first line of standard input."`
}

// Run asks for the password and creates the user.
func (u *createuser) Run(env *environment, c *commands) error {
	password, err := u.password(env)
	if err != nil {
		return fmt.Errorf("read password: %w", err)
	}
	name := u.Name
	if name == "" {
		name = u.Username
	}
	return env.with(c.settings(), func(p *Project) error {
		if p.Users == nil {
			return errors.New("this app keeps no users that can be created here: set Project.Users")
		}
		if err := call(env.ctx, p.Migrate); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		id, err := p.Users.CreateUser(env.ctx, u.Username, password, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "created user %s with id %d\n", u.Username, id)
		return nil
	})
}

func (u *createuser) password(env *environment) (string, error) {
	if u.PasswordStdin {
		return firstLine(env.stdin)
	}
	file, ok := env.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return "", errors.New("standard input is no terminal: give the password there and add --password-stdin")
	}
	return promptTerminal(env, int(file.Fd()))
}

// promptTerminal asks without echo. The echo comes back, and the program ends,
// when it is interrupted: nothing else ends the read of a terminal.
func promptTerminal(env *environment, fd int) (string, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(env.ctx, func() {
		term.Restore(fd, state) //nolint:errcheck // the program ends whatever comes of it
		fmt.Fprintln(env.stderr)
		os.Exit(1)
	})
	defer stop()
	return prompt(env.stderr, func() (string, error) {
		line, err := term.ReadPassword(fd)
		return string(line), err
	})
}

// prompt asks twice, as nobody sees what is typed.
func prompt(out io.Writer, read func() (string, error)) (string, error) {
	ask := func(question string) (string, error) {
		fmt.Fprint(out, question)
		defer fmt.Fprintln(out)
		return read()
	}
	password, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Password again: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", errors.New("the two differ: try again")
	}
	return password, nil
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPasswordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
