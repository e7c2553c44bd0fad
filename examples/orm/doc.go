// Package orm has one app for each library by which programs speak to their
// database: GORM, bun, sqlx and pgx.
package orm
