-- KEYS: for each queue its list and mark.
-- Returns the place of a queue, from 1, and its oldest entry, the oldest of all
-- queues; or the place alone, where messages were lost behind the last; or
-- nothing.
local now = clock()
local best, entry
for i = 1, #KEYS / 2 do
  local queue, mark = KEYS[2 * i - 1], KEYS[2 * i]
  local head = oldest(queue, mark, now)
  if head then
    if not entry or expires(head) < expires(entry) then
      best, entry = i, head
    end
  elseif redis.call('DEL', mark) == 1 then
    -- Who reads the last entry removes the mark, unless something was lost behind
    -- it: there is one, so something was.
    return {i}
  end
end
if not entry then
  return {}
end
local queue, mark = KEYS[2 * best - 1], KEYS[2 * best]
redis.call('LPOP', queue)
if redis.call('EXISTS', queue) == 0 and redis.call('GET', mark) ~= '1' then
  redis.call('DEL', mark)
end
return {best, entry}
