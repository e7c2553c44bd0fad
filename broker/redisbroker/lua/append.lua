-- KEYS: stream, info, sizes. ARGV: the number of the last record and, if it is
-- known, its tag; a tag; the age and the bytes that are kept; the records.
-- Returns 1 and the number of the last record, or 0 and that number if it is not
-- the one that was given.
--
-- Record n has the id n-t, t being the milliseconds of its time, and one field:
-- its name is the tag of the record before and its own, the body its value. By the
-- tags a reader knows whether a record follows on the one that it has. sizes has
-- an element for each record: time ":" bytes.
local stream, info, sizes = KEYS[1], KEYS[2], KEYS[3]
local was = redis.call('HMGET', info, 'last', 'tag', 'bytes', 'time')
local last, before, bytes, time = tonumber(was[1] or 0), was[2] or '', tonumber(was[3] or 0), tonumber(was[4] or 0)
local kept = redis.call('XLEN', stream)
if kept ~= redis.call('LLEN', sizes) or (kept == 0) ~= (last == 0) then
  -- One of the keys was removed, as a server does that may evict: what is left is
  -- of no use.
  redis.call('DEL', stream, info, sizes)
  last, before, bytes, time, kept = 0, '', 0, 0, 0
end
if whole(last) ~= ARGV[1] or (ARGV[2] ~= '' and ARGV[2] ~= before) then
  return {0, whole(last)}
end

local now = math.max(clock(), time)
local tag, age, most = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
for i = 6, #ARGV do
  last = last + 1
  redis.call('XADD', stream, whole(last) .. '-' .. whole(now), before .. '.' .. tag, ARGV[i])
  redis.call('RPUSH', sizes, whole(now) .. ':' .. #ARGV[i])
  before = tag
  bytes = bytes + #ARGV[i]
  kept = kept + 1
end

-- The newest record stays. What is dropped at once is bounded, as other commands
-- wait.
local dropped = 0
while kept > 1 and dropped < 10000 do
  local oldest, size = string.match(redis.call('LINDEX', sizes, 0), '^(%d+):(%d+)$')
  if bytes <= most and tonumber(oldest) > now - age then
    break
  end
  redis.call('LPOP', sizes)
  bytes = bytes - tonumber(size)
  kept = kept - 1
  dropped = dropped + 1
end
if dropped > 0 then
  redis.call('XTRIM', stream, 'MINID', '=', whole(last - kept + 1))
end
redis.call('HSET', info, 'last', whole(last), 'tag', tag, 'bytes', whole(bytes), 'time', whole(now))
return {1, whole(last)}
