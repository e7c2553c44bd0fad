-- The board's tables in SQLite. users, which they refer to, is made by package token.
-- Keys are never given twice, so that a link to a deleted card stays dead.

CREATE TABLE IF NOT EXISTS boards (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	name     TEXT NOT NULL,
	owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE
);

-- Who made the board is a member too.
CREATE TABLE IF NOT EXISTS board_members (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	board_id INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	role     TEXT NOT NULL DEFAULT 'editor' CHECK (role IN ('owner', 'editor', 'viewer')),
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
	done        BOOLEAN NOT NULL DEFAULT FALSE,
	archived    BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE IF NOT EXISTS comments (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	card_id    INTEGER NOT NULL REFERENCES cards (id) ON DELETE CASCADE,
	author_id  INTEGER REFERENCES users (id) ON DELETE SET NULL,
	body       TEXT NOT NULL,
	created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- The last comment that a member has read.
CREATE TABLE IF NOT EXISTS comments_read (
	board_id   INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	comment_id INTEGER NOT NULL,
	PRIMARY KEY (board_id, user_id)
);

-- The words of the cards' titles, in small letters, by which cards are found.
-- Triggers keep them, whoever writes a title.
CREATE TABLE IF NOT EXISTS card_words (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	board_id INTEGER NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
	card_id  INTEGER NOT NULL REFERENCES cards (id) ON DELETE CASCADE,
	word     TEXT NOT NULL
);

-- A title becomes a JSON array of words: its blanks are where one ends.
CREATE VIEW IF NOT EXISTS words_of_cards AS
	SELECT DISTINCT lists.board_id, cards.id AS card_id, word.value AS word
	FROM cards JOIN lists ON lists.id = cards.list_id,
		json_each('[' || replace(json_quote(lower(cards.title)), ' ', '","') || ']') AS word
	WHERE word.value <> '';

CREATE TRIGGER IF NOT EXISTS cards_created AFTER INSERT ON cards BEGIN
	INSERT INTO card_words (board_id, card_id, word) SELECT board_id, card_id, word FROM words_of_cards WHERE card_id = NEW.id;
END;

CREATE TRIGGER IF NOT EXISTS cards_renamed AFTER UPDATE OF title ON cards WHEN NEW.title IS NOT OLD.title BEGIN
	DELETE FROM card_words WHERE card_id = NEW.id;
	INSERT INTO card_words (board_id, card_id, word) SELECT board_id, card_id, word FROM words_of_cards WHERE card_id = NEW.id;
END;

CREATE INDEX IF NOT EXISTS card_words_word ON card_words (board_id, word);
CREATE INDEX IF NOT EXISTS card_words_card_id ON card_words (card_id);
CREATE INDEX IF NOT EXISTS boards_owner_id ON boards (owner_id);
CREATE INDEX IF NOT EXISTS board_members_user_id ON board_members (user_id);
CREATE INDEX IF NOT EXISTS lists_board_id ON lists (board_id, position);
CREATE INDEX IF NOT EXISTS cards_list_id ON cards (list_id, position);
CREATE INDEX IF NOT EXISTS cards_assignee_id ON cards (assignee_id);
CREATE INDEX IF NOT EXISTS comments_card_id ON comments (card_id, created_at);
CREATE INDEX IF NOT EXISTS comments_author_id ON comments (author_id);
