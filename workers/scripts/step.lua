#!lua
-- Makes one later change to a ticket, once: version compare, operation id, list, stream, schedule.
-- KEYS: jiesu:events, jiesu:due, jiesu:stats.   ARGV: ticket, expected version, operation, claim token, event head, event data,
-- state ('' = as it is), due ('' = as it is, 'done' = leaves the schedule, else unix seconds), counter to raise
-- ('' = none), how often the ticket was replayed, as the caller saw it (only asked when it would leave the schedule),
-- how many sorted sets it joins or leaves, for each: key, member, score ('' = leaves), the sorted set whose score of
-- this member is taken instead if it has one there ('' = none), then fields to set.
-- Returns {outcome, version}: done | repeated (operation known) | moved (other version, or replayed: look again)
-- | lost (claim) | missing.

local ticket, expected, operation, token, head, data, state, due, counter, replays, lists = unpack(ARGV, 1, 11)
lists = tonumber(lists)
local key = 'jiesu:ticket:' .. ticket
local facts = redis.call('HMGET', key, 'version', 'number', 'entry', 'op:' .. operation, 'replays')
local version = tonumber(facts[1])
if not facts[3] then return { 'missing', 0 } end
if facts[4] then return { 'repeated', tonumber(facts[4]) } end
if version ~= tonumber(expected) then return { 'moved', version } end
if due == 'done' and tonumber(facts[5] or 0) ~= tonumber(replays) then return { 'moved', version } end
if token ~= '' and redis.call('GET', 'jiesu:claim:' .. ticket) ~= token then return { 'lost', version } end

version = version + 1
local event = head .. ',"id":"' .. ticket .. '.' .. version .. '","subject":"' .. ticket
  .. '","data":{"ticket_id":"' .. ticket .. '","number":"' .. facts[2] .. '","version":' .. version .. data .. '}}'
redis.call('RPUSH', 'jiesu:steps:' .. ticket, event)
redis.call('HSET', key, 'version', version, 'op:' .. operation, version, unpack(ARGV, 12 + 4 * lists))
if state ~= '' then redis.call('HSET', key, 'state', state) end
if counter ~= '' then redis.call('HINCRBY', KEYS[3], counter, 1) end
for i = 12, 11 + 4 * lists, 4 do
  if ARGV[i + 2] == '' then
    redis.call('ZREM', ARGV[i], ARGV[i + 1])
  else
    local since = ARGV[i + 3] ~= '' and redis.call('ZSCORE', ARGV[i + 3], ARGV[i + 1])
    redis.call('ZADD', ARGV[i], since or ARGV[i + 2], ARGV[i + 1])
  end
end
if due == 'done' then
  redis.call('ZREM', KEYS[2], ticket)
elseif due ~= '' then
  redis.call('ZADD', KEYS[2], due, ticket)
end
redis.call('XADD', KEYS[1], '*', 'event', event)
return { 'done', version }
