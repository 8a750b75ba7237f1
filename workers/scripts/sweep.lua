#!lua
-- Takes the tickets whose time has come, the immediate ones first, and holds each for a while, so that two sweepers
-- never enqueue one ticket twice and a job that is lost comes round again.
-- KEYS: jiesu:due, jiesu:immediate.   ARGV: hold (s), how many for `urgent`, how many for `dispatch` (0 = no room).
-- Returns {ticket, version, attempt, tier, number} each.

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local hold, urgent, rest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local out = {}

local function take(ticket, key, facts)
  local attempt = redis.call('HINCRBY', key, 'attempts', 1)
  redis.call('ZADD', KEYS[1], now + hold, ticket)
  out[#out + 1] = { ticket, facts[1], attempt, facts[2] or '', facts[4] or '' }
end

local function look(ticket)
  local key = 'jiesu:ticket:' .. ticket
  local facts = redis.call('HMGET', key, 'version', 'tier', 'entry', 'number')
  if not facts[3] then
    redis.call('ZREM', KEYS[1], ticket)
  elseif facts[2] == 'immediate' and urgent == 0 then
    redis.call('ZADD', KEYS[1], now + hold, ticket)  -- only waits for its turn; others must not wait behind it here
  else
    take(ticket, key, facts)
  end
end

if urgent > 0 then
  for _, ticket in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    local due = redis.call('ZSCORE', KEYS[1], ticket)
    if not due then
      redis.call('SREM', KEYS[2], ticket)  -- left the schedule; a later message puts it back
    elseif #out < urgent and tonumber(due) <= now then
      look(ticket)
    end
  end
end
for _, ticket in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, rest)) do look(ticket) end
return out
