-- The board's tables. users, which they refer to, is made by package token.
-- Keys are never given twice, so that a link to a deleted card stays dead.

CREATE TABLE IF NOT EXISTS boards (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	name     TEXT NOT NULL,
	owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE
);

-- The owner is a member too.
CREATE TABLE IF NOT EXISTS board_members (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	board_id INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	UNIQUE (board_id, user_id)
);

CREATE TABLE IF NOT EXISTS lists (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	board_id INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	name     TEXT NOT NULL,
	position REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS cards (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	list_id     INTEGER NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
	title       TEXT NOT NULL,
	position    REAL NOT NULL,
	assignee_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
	done        BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE IF NOT EXISTS comments (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	card_id    INTEGER NOT NULL REFERENCES cards (id) ON DELETE CASCADE,
	author_id  INTEGER REFERENCES users (id) ON DELETE SET NULL,
	body       TEXT NOT NULL,
	created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE INDEX IF NOT EXISTS boards_owner_id ON boards (owner_id);
CREATE INDEX IF NOT EXISTS board_members_user_id ON board_members (user_id);
CREATE INDEX IF NOT EXISTS lists_board_id ON lists (board_id, position);
CREATE INDEX IF NOT EXISTS cards_list_id ON cards (list_id, position);
CREATE INDEX IF NOT EXISTS cards_assignee_id ON cards (assignee_id);
CREATE INDEX IF NOT EXISTS comments_card_id ON comments (card_id, created_at);
CREATE INDEX IF NOT EXISTS comments_author_id ON comments (author_id);
