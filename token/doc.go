// Package token is password login and token authentication over an app's own
// SQL database: users, Argon2id passwords, and tokens of which only a hash is
// stored.
//
// It is optional. An app that has sessions or tokens of its own uses another
// [Authenticator], and never links this package's tables:
//
//   - [NewJWT] accepts the signed tokens of an identity provider,
//   - [Session] the app's own cookies,
//   - [NewDRF] the tokens that Django REST framework keeps,
//   - [First] several of them in order.
//
// # Tables
//
// [Store.Migrate] creates two tables, and checks an existing users table:
//
//	users(id, username, name, password, is_active, created_at)
//	auth_tokens(hash, user_id, created_at, expires_at)
//
// id is an integer. password is a PHC string ("$argon2id$v=19$m=…"); an empty
// one, or NULL, is a user who cannot log in by password. hash is the
// hexadecimal SHA-256 of the token, so that a copy of the database opens no
// door. auth_tokens has its times in seconds since 1970, which every driver
// writes and reads alike; expires_at is NULL for a token that does not expire.
//
// The statements are those that SQLite (3.35 and later) and PostgreSQL share.
//
// # Concurrency
//
// All Authenticators are safe for concurrent use and own no goroutine.
package token
