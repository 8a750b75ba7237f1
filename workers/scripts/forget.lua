#!lua
-- Deletes consumers that are long gone, but only when nothing is pending for them (a deletion drops what is pending).
-- KEYS: the stream.   ARGV: group, idle seconds.   Returns how many.

local gone = 0
for _, raw in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #raw, 2 do consumer[raw[i]] = raw[i + 1] end
  if consumer.pending == 0 and consumer.idle > ARGV[2] * 1000 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    gone = gone + 1
  end
end
return gone
