-- The same on SQLite, in one transaction: triggers name the column, and are put
-- back without it.
DROP TRIGGER pando_notes_insert;
DROP TRIGGER pando_notes_update;
DROP TRIGGER pando_notes_delete;
DROP TRIGGER IF EXISTS pando_notes_conflict_insert;
DROP TRIGGER IF EXISTS pando_notes_conflict_update;
ALTER TABLE notes DROP COLUMN colour;
