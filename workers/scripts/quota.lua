#!lua
-- Gives a sending a place among those of the last window (an hour to one address), if one is left, or the one it has.
-- KEYS: the sorted set of the address or the unit.   ARGV: sending, now (unix seconds), window (s), places.   Returns 1 or 0.
local key, sending, now, window = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
if redis.call('ZSCORE', key, sending) then return 1 end
if redis.call('ZCARD', key) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', key, now, sending)
redis.call('EXPIRE', key, window)
return 1
