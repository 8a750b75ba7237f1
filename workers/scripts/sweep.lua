#!lua
-- Takes the tickets whose time has come off the head of the schedule and holds each for a while, so that two sweepers
-- never enqueue one ticket twice and a job that is lost comes round again.
-- KEYS: jiesu:due.   ARGV: hold (s), limit.   Returns {ticket, version, attempt, tier, number} each.

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local out = {}
for _, ticket in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  local key = 'jiesu:ticket:' .. ticket
  local facts = redis.call('HMGET', key, 'version', 'tier', 'entry', 'number')
  if facts[3] then
    local attempt = redis.call('HINCRBY', key, 'attempts', 1)
    redis.call('ZADD', KEYS[1], now + ARGV[1], ticket)
    out[#out + 1] = { ticket, facts[1], attempt, facts[2] or '', facts[4] or '' }
  else
    redis.call('ZREM', KEYS[1], ticket)
  end
end
return out
