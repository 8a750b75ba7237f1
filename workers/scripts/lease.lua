#!lua
-- Leases entries of a waiting list, so that two people never hold one: the first that nobody holds, the oldest first.
-- KEYS: the list (sorted set), its leases (hash entry -> `until holder`).   ARGV: holder, now, until (unix s), how many,
-- then the entries that are wanted (none = any).   Returns the entries; those the holder had already are among them.
local list, leases = KEYS[1], KEYS[2]
local holder, now, untl, count = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local out = {}

local function free(entry)
  local held = redis.call('HGET', leases, entry)
  if not held then return true end
  local at = string.find(held, ' ', 1, true)
  return tonumber(string.sub(held, 1, at - 1)) <= now or string.sub(held, at + 1) == holder
end

local function look(entry)
  if #out < count and free(entry) then
    redis.call('HSET', leases, entry, untl .. ' ' .. holder)
    out[#out + 1] = entry
  end
end

if #ARGV > 4 then
  for i = 5, #ARGV do
    if redis.call('ZSCORE', list, ARGV[i]) then look(ARGV[i]) end
  end
else
  local start, page = 0, 200
  while #out < count do
    local entries = redis.call('ZRANGE', list, start, start + page - 1)
    if #entries == 0 then break end
    for _, entry in ipairs(entries) do look(entry) end
    start = start + page
  end
end

-- What left the list by another way than its holder's decision leaves its lease behind: more leases than entries.
if redis.call('HLEN', leases) > redis.call('ZCARD', list) then
  for _, entry in ipairs(redis.call('HKEYS', leases)) do
    if not redis.call('ZSCORE', list, entry) then redis.call('HDEL', leases, entry) end
  end
end
return out
