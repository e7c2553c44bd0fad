// Package manage is the command line of an app's own binary: runserver,
// migrate, createuser and makefrontend, over parts that the app fills in.
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
// It is a convenience: an App is an http.Handler with a Run, and a program
// that has a main of its own needs nothing from here.
//
// Every flag that names a resource has an environment variable too: PANDO_DB,
// PANDO_ADDR, PANDO_STATIC. What a command is asked for goes to standard
// output, logs and errors go to standard error. The exit code is 0, or 1 after
// an error and when "makefrontend --check" finds something to change.
package manage
