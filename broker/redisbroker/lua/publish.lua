-- KEYS: group. ARGV: body.
-- Publishes to the processes with members, and returns the members that have
-- queues.
redis.call('PUBLISH', KEYS[1], ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(clock()), '+inf')
