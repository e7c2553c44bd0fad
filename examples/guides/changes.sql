-- Expand: what the next release needs is there before it is.
ALTER TABLE notes ADD COLUMN paint text NOT NULL DEFAULT '';
UPDATE notes SET paint = colour WHERE paint = '';
