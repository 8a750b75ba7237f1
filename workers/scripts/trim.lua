#!lua
-- Trims a stream by exact MINID to the lowest entry that somebody still needs.
-- KEYS: the stream.   ARGV: seconds that others may hold entries, then the named groups.
-- A named group holds everything from its first pending entry, else from the entry after its last delivered one.
-- A named group that is not there holds everything: it may be made, or made again, from the beginning.
-- Other groups, and a stream for which none is named, hold entries no longer than that time. Returns entries removed.

local keep, named, missing = tonumber(ARGV[1]), {}, 0
for i = 2, #ARGV do
  if not named[ARGV[i]] then named[ARGV[i]], missing = true, missing + 1 end
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local cutoff = { tonumber(redis.call('TIME')[1]) * 1000 - keep * 1000, 0 }

local function id(text)
  local ms, seq = string.match(text, '^(%d+)%-(%d+)$')
  return { tonumber(ms), tonumber(seq) }
end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end

local needed = nil
for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #raw, 2 do group[raw[i]] = raw[i + 1] end
  local pending = redis.call('XPENDING', KEYS[1], group.name)
  local first
  if pending[2] then
    first = id(pending[2])
  else
    first = id(group['last-delivered-id'])
    first[2] = first[2] + 1
  end
  if named[group.name] then missing = missing - 1 elseif less(first, cutoff) then first = cutoff end
  if not needed or less(first, needed) then needed = first end
end
if missing > 0 then return 0 end
if not next(named) then needed = cutoff end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%.0f-%.0f', needed[1], needed[2]))
