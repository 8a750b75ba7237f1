#!lua
-- Counts one use if there is room for it (generic cell rate algorithm).
-- KEYS: the meter.   ARGV: now (unix seconds), what the use costs (s), how far ahead of now uses may reach (s).
-- Returns 0, or the seconds to wait, as strings: Lua's numbers would lose their fractions.
local now, cost, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ahead = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + cost
-- To the millisecond that is kept: less than one is no wait, and a use that waits must not look like one that was counted.
local wait = math.floor((ahead - now - room) * 1000 + 0.5)
if wait > 0 then return string.format('%.3f', wait / 1000) end
redis.call('SET', KEYS[1], string.format('%.3f', ahead), 'EX', math.ceil(ahead - now) + 1)
return '0'
