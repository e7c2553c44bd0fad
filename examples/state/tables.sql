-- The tables of docs/guides/state.md, as the migrations of an app would make them.

CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL, lead_id INTEGER REFERENCES users(id));
CREATE TABLE budgets (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL, cents INTEGER NOT NULL);
CREATE INDEX budgets_project ON budgets(project_id);
CREATE TABLE tasks (
	id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
	title TEXT NOT NULL, assignee_id INTEGER REFERENCES users(id), position REAL NOT NULL);
CREATE INDEX tasks_project ON tasks(project_id);

CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE tags (id INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE article_tags (article_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, PRIMARY KEY (article_id, tag_id));
CREATE TABLE credits (
	id INTEGER PRIMARY KEY, article_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
	role TEXT NOT NULL, position INTEGER NOT NULL);
CREATE INDEX credits_article ON credits(article_id);

CREATE TABLE comments (id INTEGER PRIMARY KEY, parent_id INTEGER, text TEXT NOT NULL);
CREATE INDEX comments_parent ON comments(parent_id);

CREATE TABLE orders (id TEXT PRIMARY KEY);
CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE lines (
	order_id TEXT NOT NULL, no INTEGER NOT NULL, serial INTEGER NOT NULL, sku TEXT REFERENCES products(sku),
	PRIMARY KEY (order_id, no));
CREATE TABLE parcels (id INTEGER PRIMARY KEY, line_order_id TEXT NOT NULL, line_no INTEGER NOT NULL);
CREATE INDEX parcels_line ON parcels(line_order_id, line_no);

CREATE TABLE accounts (
	id INTEGER PRIMARY KEY, nickname TEXT NOT NULL, email TEXT NOT NULL, password TEXT NOT NULL, tokens INTEGER NOT NULL,
	since TIMESTAMP NOT NULL, pin TEXT NOT NULL, cents INTEGER NOT NULL, settings TEXT NOT NULL);

CREATE TABLE boards (id INTEGER PRIMARY KEY, name TEXT NOT NULL, closed BOOLEAN NOT NULL);
CREATE TABLE cards (
	id INTEGER PRIMARY KEY, board_id INTEGER NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL,
	assignee_id INTEGER NOT NULL, deleted_at TIMESTAMP);
CREATE INDEX cards_board ON cards(board_id);

CREATE TABLE countries (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL, org_id INTEGER NOT NULL, country_id TEXT);
CREATE TABLE members (id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL, name TEXT NOT NULL, org_id INTEGER NOT NULL);
CREATE INDEX members_team ON members(team_id);

CREATE TABLE invoices (id INTEGER PRIMARY KEY, year INTEGER NOT NULL);
CREATE TABLE items (id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, name TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE INDEX items_invoice ON items(invoice_id);

CREATE TABLE tickets (
	id INTEGER PRIMARY KEY, title TEXT NOT NULL, urgency INTEGER NOT NULL, team TEXT NOT NULL,
	closed BOOLEAN NOT NULL DEFAULT FALSE, assignee_id INTEGER);
CREATE INDEX tickets_open ON tickets(team, closed, urgency);
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, owner_id INTEGER NOT NULL);
CREATE INDEX notes_owner ON notes(owner_id);

CREATE TABLE pages (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE drafts (id INTEGER PRIMARY KEY, page_id INTEGER NOT NULL, author_id INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX drafts_page ON drafts(page_id);

CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE guests (id INTEGER PRIMARY KEY, room_id INTEGER NOT NULL, user_id INTEGER NOT NULL);
CREATE INDEX guests_room ON guests(room_id);

CREATE TABLE writers (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL);
CREATE TABLE publishers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL, writer_ref INTEGER NOT NULL, publisher_id INTEGER NOT NULL);
CREATE INDEX books_writer ON books(writer_ref);
CREATE TABLE awards (id INTEGER PRIMARY KEY, writer_id INTEGER NOT NULL);

INSERT INTO users VALUES (1, 'Ada', 'ada@example.com'), (2, 'Grace', 'grace@example.com');
