-- KEYS: group. ARGV: how long the members are in it, from now on, whether only
-- those that are in it already ("XX") or all ("NX XX", as ""), the members.
local span = tonumber(ARGV[1])
local now = clock()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now))
for i = 3, #ARGV do
  if ARGV[2] == '' or redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], whole(now + span), ARGV[i])
  end
end
return redis.call('PEXPIRE', KEYS[1], span)
