-- The server's settings; the first three take a restart.
ALTER SYSTEM SET wal_level = logical;
ALTER SYSTEM SET max_replication_slots = 20;
ALTER SYSTEM SET max_wal_senders = 20;
ALTER SYSTEM SET max_slot_wal_keep_size = '16GB';

-- The app's role.
CREATE ROLE shop LOGIN PASSWORD 'secret' REPLICATION;

-- Who reads the log, and how much of it the server has to keep.
SELECT slot_name, active, wal_status, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)) AS held
FROM pg_replication_slots WHERE database = current_database();

-- Drop the slot of an app that is gone for good.
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_name = 'pando_shop' AND NOT active;
