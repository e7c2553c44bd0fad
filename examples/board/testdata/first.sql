-- The board's tables as they were at first, with a board of two members.
CREATE TABLE boards (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	name     TEXT NOT NULL,
	owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE board_members (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	board_id INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	UNIQUE (board_id, user_id)
);
CREATE TABLE lists (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	board_id INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	name     TEXT NOT NULL,
	position REAL NOT NULL
);
CREATE TABLE cards (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	list_id     INTEGER NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
	title       TEXT NOT NULL,
	position    REAL NOT NULL,
	assignee_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
	done        BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE TABLE comments (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	card_id    INTEGER NOT NULL REFERENCES cards (id) ON DELETE CASCADE,
	author_id  INTEGER REFERENCES users (id) ON DELETE SET NULL,
	body       TEXT NOT NULL,
	created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

INSERT INTO users (username, name) VALUES ('ada', 'Ada'), ('grace', 'Grace');
INSERT INTO boards (name, owner_id) VALUES ('First', 1);
INSERT INTO board_members (board_id, user_id) VALUES (1, 1), (1, 2);
INSERT INTO lists (board_id, name, position) VALUES (1, 'Ideas', 1);
INSERT INTO cards (list_id, title, position) VALUES (1, 'Plan B', 1);
