-- Contract, with the release after: nobody declares the column any more.
ALTER TABLE notes DROP COLUMN colour;
