#!lua
-- Puts a ticket into the index of matters, once, and says what there is to look through. Generation after generation:
-- the oldest leaves as a whole, when it is too old or when there are too many.
-- KEYS: jiesu:linking:generations.   ARGV: ticket, its 17 bytes, now (s), how long a generation grows (s), how many
-- tickets it holds, how many generations there are, how long they stay (s), how many entries a bucket holds, then for
-- each place in the index: bucket (2 bytes), entry without the position (2 bytes).
-- Returns {generation, position, generations, newest first}; nil: there is no such ticket.

local GENERATIONS = KEYS[1]
local ticket, packed, now, grows, holds, most, stays, entries = unpack(ARGV, 1, 8)
now, grows, holds, most, stays, entries =
  tonumber(now), tonumber(grows), tonumber(holds), tonumber(most), tonumber(stays), tonumber(entries)
local WIDTH, ENTRY = #packed, 6
local function members(generation) return 'jiesu:linking:tickets:' .. generation end
local function buckets(generation) return 'jiesu:linking:buckets:' .. generation end

local function drop(generation)
  redis.call('ZREM', GENERATIONS, generation)
  redis.call('UNLINK', members(generation), buckets(generation))
end

local key = 'jiesu:ticket:' .. ticket
if redis.call('EXISTS', key) == 0 then return nil end
local known = redis.call('HGET', key, 'indexed')
local newest = redis.call('ZREVRANGE', GENERATIONS, 0, 0, 'WITHSCORES')
if not known then
  local generation = newest[1]
  if not generation or now - tonumber(newest[2]) >= grows or redis.call('STRLEN', members(generation)) >= holds * WIDTH then
    generation = string.format('%d', tonumber(generation or 0) + 1)
    redis.call('ZADD', GENERATIONS, now, generation)
  end
  local position = redis.call('STRLEN', members(generation)) / WIDTH
  redis.call('APPEND', members(generation), packed)
  local place = struct.pack('>I4', position)
  for i = 9, #ARGV, 2 do
    local bucket = (redis.call('HGET', buckets(generation), ARGV[i]) or '') .. ARGV[i + 1] .. place
    redis.call('HSET', buckets(generation), ARGV[i], string.sub(bucket, -entries * ENTRY))
  end
  redis.call('EXPIRE', members(generation), grows + stays)
  redis.call('EXPIRE', buckets(generation), grows + stays)
  known = generation .. ':' .. string.format('%d', position)
  redis.call('HSET', key, 'indexed', known)
  for _, old in ipairs(redis.call('ZREVRANGE', GENERATIONS, most, -1)) do drop(old) end
  for _, old in ipairs(redis.call('ZRANGE', GENERATIONS, '-inf', '(' .. (now - grows - stays), 'BYSCORE')) do drop(old) end
end
return { known, redis.call('ZREVRANGE', GENERATIONS, 0, -1) }
