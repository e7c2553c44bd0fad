-- KEYS: queue, mark. ARGV: channel, body, capacity, expiry, kept.
-- Returns 1, or 0 if the queue is full.
if put(KEYS[1], KEYS[2], ARGV[1], '', ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), clock()) then
  return 1
end
return 0
