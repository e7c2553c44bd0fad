-- What the scripts of queues share. An entry of a queue is
--   lost expires ":" channel ":" group ":" body
-- where lost is "1" if messages were lost before it, else "0", and expires is in
-- milliseconds by the server's clock.

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function whole(n)
  return string.format('%.0f', n)
end

local function expires(entry)
  return tonumber(string.match(entry, '^%d(%d+)'))
end

-- oldest drops what has expired, and returns the first entry that has not. What
-- it drops is told by that entry, or, behind the last, by the mark.
local function oldest(queue, mark, now)
  local lost = false
  local head = redis.call('LINDEX', queue, 0)
  while head and expires(head) <= now do
    redis.call('LPOP', queue)
    lost = true
    head = redis.call('LINDEX', queue, 0)
  end
  if lost and head then
    head = '1' .. string.sub(head, 2)
    redis.call('LSET', queue, 0, head)
  elseif lost then
    redis.call('SET', mark, '1', 'KEEPTTL')
  end
  return head
end

-- put adds a message; false tells that there is no room. kept is how long the
-- mark outlives the message.
local function put(queue, mark, channel, group, body, capacity, expiry, kept, now)
  local n = redis.call('LLEN', queue)
  if n >= capacity then
    oldest(queue, mark, now)
    n = redis.call('LLEN', queue)
    if n >= capacity then
      return false
    end
  end
  local lost = '0'
  local was = redis.call('GET', mark)
  if was == '1' or (was and n == 0) then
    lost = '1'
  end
  redis.call('RPUSH', queue, lost .. whole(now + expiry) .. ':' .. channel .. ':' .. group .. ':' .. body)
  redis.call('PEXPIRE', queue, expiry + 1000)
  redis.call('SET', mark, '0', 'PX', expiry + kept)
  redis.call('PUBLISH', queue, '')
  return true
end
