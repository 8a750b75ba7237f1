#!lua
-- Leases entries of a waiting list, so that two people never hold one: the first that nobody holds, the oldest first.
-- KEYS: the leases (hash entry -> `until holder`) of a list, that list (sorted set), then the lists to take from: itself,
-- or portions of it that share no entry.   ARGV: holder, now, until (unix s), how many, then the entries that are wanted
-- (none = any).   Returns the entries; those the holder had already are among them.
local leases, list = KEYS[1], KEYS[2]
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

local function waits(entry)
  for k = 3, #KEYS do
    if redis.call('ZSCORE', KEYS[k], entry) then return true end
  end
  return false
end

-- A reader's next entry and its score; nothing at the end of its list.
local PAGE = 100
local function peek(reader)
  if reader.at > #reader.page and not reader.last then
    reader.page = redis.call('ZRANGE', reader.key, reader.start, reader.start + PAGE - 1, 'WITHSCORES')
    reader.start, reader.at, reader.last = reader.start + PAGE, 1, #reader.page < 2 * PAGE
  end
  return reader.page[reader.at], tonumber(reader.page[reader.at + 1])
end

local function oldest(readers)
  local found, since
  for _, reader in ipairs(readers) do
    local entry, score = peek(reader)
    if entry and (not since or score < since) then found, since = reader, score end
  end
  return found
end

if #ARGV > 4 then
  for i = 5, #ARGV do
    if waits(ARGV[i]) then look(ARGV[i]) end
  end
else
  local readers = {}
  for k = 3, #KEYS do readers[k - 2] = { key = KEYS[k], start = 0, page = {}, at = 1 } end
  while #out < count do
    local reader = oldest(readers)
    if not reader then break end
    look((peek(reader)))
    reader.at = reader.at + 2
  end
end

-- What left the list by another way than its holder's decision leaves its lease behind: more leases than entries.
if redis.call('HLEN', leases) > redis.call('ZCARD', list) then
  for _, entry in ipairs(redis.call('HKEYS', leases)) do
    if not redis.call('ZSCORE', list, entry) then redis.call('HDEL', leases, entry) end
  end
end
return out
