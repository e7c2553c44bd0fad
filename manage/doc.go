// Package manage is the command line of an app's own binary, over parts that the
// app fills in.
//
//	func main() {
//		manage.Main(manage.Config{Name: "board", Open: open})
//	}
//
//	func open(ctx context.Context, s manage.Settings) (*manage.Project, error) {
//		db, err := sql.Open("sqlite", s.DB)
//		…
//		return &manage.Project{App: app, Users: users, Migrate: users.Migrate, Close: db.Close}, nil
//	}
//
//	runserver                 migrates and serves; --makefrontend follows the Go files
//	migrate                   brings the database up to date; --print-sql prints how
//	uninstall                 removes what Pando has created in the database
//	makefrontend              writes the TypeScript classes of the channels
//	check                     tells what is wrong, and changes nothing
//	healthcheck               asks the running server whether it is ready
//	createuser                creates a user
//	createtoken, revoketoken  log a user in for a program, and out
//	broadcast_system_message  shows a message to every connected client
//	maintenance               sends all clients away for a while
//	expire_cache              drops what the cache has of scopes
//
// The last three reach every server that runs on the same database.
//
// It is a convenience: an App is an http.Handler with a Run, and a program
// that has a main of its own needs nothing from here.
//
// Every setting has an environment variable, which --help shows beside its flag;
// package backend opens what those name. What a command is asked for goes to standard
// output, logs and errors go to standard error. The exit code is 0, or 1 after
// an error, when "makefrontend --check" finds something to change, and when check
// finds something that has to be mended; hints leave it 0.
package manage
