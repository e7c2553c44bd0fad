package manage

// migrate is the command that changes the database and nothing else.
type migrate struct{}

// Run brings the tables of the app and of Pando up to date.
func (*migrate) Run(env *environment, c *commands) error {
	return env.with(Settings{DB: c.DB}, func(p *Project) error {
		return p.prepare(env.ctx, false)
	})
}
