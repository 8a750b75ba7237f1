#!lua
-- A poller's lease and its place, in one step, so that only the holder moves the place.
-- KEYS: the lease, the cursor.   ARGV: take | keep | leave, token, lease (ms), [new cursor].
-- Returns {} or {cursor}; nil: another holds the lease, or (keep) it is over.
local lease, cursor, word, token = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local holder = redis.call('GET', lease)
if word == 'leave' then
  if holder == token then redis.call('DEL', lease) end
  return {}
end
if holder and holder ~= token or not holder and word == 'keep' then return nil end
redis.call('SET', lease, token, 'PX', ARGV[3])
if ARGV[4] then redis.call('SET', cursor, ARGV[4]) end
local found = redis.call('GET', cursor)
return found and { found } or {}
