-- KEYS: for each member its queue and mark. ARGV: group, body, expiry, kept, then
-- for each member its channel and capacity.
-- Returns the number of members that were full.
local now = clock()
local full = 0
for i = 1, #KEYS / 2 do
  local queue, mark = KEYS[2 * i - 1], KEYS[2 * i]
  if not put(queue, mark, ARGV[3 + 2 * i], ARGV[1], ARGV[2], tonumber(ARGV[4 + 2 * i]), tonumber(ARGV[3]), tonumber(ARGV[4]), now) then
    redis.call('SET', mark, '1', 'KEEPTTL')
    full = full + 1
  end
end
return full
