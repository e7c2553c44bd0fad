INSERT INTO users (id, username, name, password, created_at)
VALUES (1, 'ada', 'Ada', '', 0), (2, 'grace', 'Grace', '', 0), (3, 'eve', 'Eve', '', 0);
INSERT INTO projects VALUES (1, 'Engine'), (2, 'Loom');
INSERT INTO members VALUES (1, 1, 'editor'), (1, 2, 'viewer');
INSERT INTO tasks (id, project_id, title, created_by) VALUES (1, 1, 'Oil the mill', '2'), (2, 2, 'Wind the warp', '3');
INSERT INTO orders VALUES (1, 'open');
INSERT INTO rooms VALUES (1, 'Lobby');
INSERT INTO reports VALUES (1, 'Year', NULL);
