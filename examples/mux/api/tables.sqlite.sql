-- A key is never given twice, so that an answer to a deleted message finds nobody.
CREATE TABLE IF NOT EXISTS messages (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	message    TEXT NOT NULL,
	author     TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
