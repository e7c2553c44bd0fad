package manage

import "fmt"

// uninstall is the command that takes back what Pando has created.
type uninstall struct{}

// Run removes it, and leaves the app's tables and rows.
func (*uninstall) Run(env *environment, c *commands) error {
	return env.withAdministrator(c, func(a Administrator) error {
		if err := a.Uninstall(env.ctx); err != nil {
			return err
		}
		fmt.Fprintln(env.stdout, "Removed what Pando had created in the database. The next migrate or runserver creates it again.")
		return nil
	})
}
