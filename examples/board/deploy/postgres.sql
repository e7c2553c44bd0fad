ALTER SYSTEM SET wal_level = 'logical';
ALTER SYSTEM SET max_slot_wal_keep_size = '16GB';
ALTER ROLE board REPLICATION;
