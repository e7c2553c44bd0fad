package manage

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Config declares an app's binary.
type Config struct {
	// Name is the binary's name in messages.
	Name string
	// DB is the default of --db; Name + ".db" when it is empty.
	DB string
	// Static is the default of --static.
	Static string
	// Open makes the project of one run, before every command.
	Open func(ctx context.Context, s Settings) (*Project, error)
}

// Main runs the command that the program's arguments name, and exits. It sets
// slog's default to the logger of Settings. An interrupt or SIGTERM ends the
// command in good order, a second one at once.
func Main(c Config) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	slog.SetDefault(log)
	os.Exit(run(&environment{
		ctx: ctx, config: c, log: log, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}, os.Args[1:]))
}

// environment is what a command has from outside.
type environment struct {
	ctx            context.Context //nolint:containedctx // one environment is one run of one command
	config         Config
	log            *slog.Logger
	stdin          io.Reader
	stdout, stderr io.Writer
}

// commands is the grammar of the command line.
type commands struct {
	DB          string        `default:"${db}" env:"PANDO_DB" help:"Database: a file, or a URL such as postgres://user:password@host/name." name:"db"`
	Replication string        `env:"PANDO_REPLICATION" help:"URL of the database's replication connection, where that of the database leads to a pooler." placeholder:"URL"`
	Broker      string        `env:"PANDO_BROKER" help:"URL of the broker between several servers, such as nats://host:4222 or redis://host:6379; none for one server." placeholder:"URL"`
	Capacity    int           `env:"PANDO_CAPACITY" help:"Unread messages that a channel of the broker holds; 100 unless set." placeholder:"MESSAGES"`
	Expiry      time.Duration `env:"PANDO_EXPIRY" help:"How long a message of the broker may wait to be read; a minute unless set."`
	Cache       string        `env:"PANDO_CACHE" help:"URL of the cache that servers share; none reads the database." placeholder:"URL"`
	Namespace   string        `default:"pando" env:"PANDO_NAMESPACE" help:"Sets apart apps that share a database, a broker or a cache."`
	Origins     []string      `env:"PANDO_ORIGINS" help:"Hosts besides the server's own whose pages may connect, with commas." placeholder:"HOST"`
	Heartbeat   time.Duration `default:"20s" env:"PANDO_HEARTBEAT" help:"Longest silence on a connection: less than the idle time-out of every proxy."`

	Runserver    runserver    `cmd:"" help:"Migrate, seed an empty database, and serve."`
	Migrate      migrate      `cmd:"" help:"Bring the database up to date, and stop."`
	Uninstall    uninstall    `cmd:"" help:"Remove what Pando has created in the database; the app's tables and rows stay."`
	Makefrontend makefrontend `cmd:"" help:"Write the TypeScript classes of the app's channels."`
	Check        check        `cmd:"" help:"Tell what is wrong with the app, its database and its generated files, and change nothing."`

	Healthcheck healthcheck `cmd:"" help:"Ask the server of this machine whether it is ready; the exit code tells."`

	Createuser  createuser  `cmd:"" help:"Create a user."`
	Createtoken createtoken `cmd:"" help:"Print a new token of a user."`
	Revoketoken revoketoken `cmd:"" help:"Revoke a token, or all tokens of a user, and close the connections that use it."`

	Broadcast   broadcast   `aliases:"broadcast-system-message" cmd:"" help:"Show a message to every connected client." name:"broadcast_system_message"`
	Maintenance maintenance `cmd:"" help:"Announce maintenance: close all connections, and have clients come back later."`
	ExpireCache expireCache `aliases:"expire-cache" cmd:"" help:"Drop what the cache has of scopes; without a cache, have every server read anew what it holds." name:"expire_cache"`
}

// settings are what an app is opened with.
func (c *commands) settings() Settings {
	return Settings{
		DB: c.DB, Replication: c.Replication, Broker: c.Broker, Capacity: c.Capacity, Expiry: c.Expiry, Cache: c.Cache, Namespace: c.Namespace,
		Origins: c.Origins, Heartbeat: c.Heartbeat,
	}
}

// run is Main without the process around it.
func run(env *environment, args []string) int {
	if err := dispatch(env, args); err != nil {
		fmt.Fprintf(env.stderr, "%s: %v\n", env.config.Name, err)
		return 1
	}
	return 0
}

func dispatch(env *environment, args []string) error {
	var c commands
	helped := false
	parser, err := kong.New(&c,
		kong.Name(env.config.Name),
		kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(int) { helped = true }), // --help asks to end the program
		kong.Vars{"db": defaultDB(env.config), "static": env.config.Static},
	)
	if err != nil {
		return fmt.Errorf("read grammar: %w", err)
	}
	command, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (--help shows what there is)", err)
	}
	return command.Run(env, &c)
}

func defaultDB(c Config) string {
	if c.DB == "" {
		return c.Name + ".db"
	}
	return c.DB
}
