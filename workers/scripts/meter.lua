#!lua
-- Counts one use if there is room for it (generic cell rate algorithm).
-- KEYS: the meter.   ARGV: now (unix seconds), what the use costs (s), how far ahead of now uses may reach (s).
-- Returns 0, or the seconds to wait, as strings: Lua's numbers would lose their fractions.
local now, cost, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ahead = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + cost
if ahead - now > room then return string.format('%.3f', ahead - now - room) end
redis.call('SET', KEYS[1], string.format('%.3f', ahead), 'EX', math.ceil(ahead - now) + 1)
return '0'
