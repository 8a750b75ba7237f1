#!lua
-- Ends a ticket's turn: it leaves the schedule, or its next turn is set, unless it moved or was replayed meanwhile.
-- KEYS: jiesu:due, the ticket.   ARGV: ticket id, version, replays, next turn (unix seconds; '' = leaves).
-- Returns 1 when the turn ended, 0 when the ticket is to be looked at again.
local facts = redis.call('HMGET', KEYS[2], 'version', 'replays')
if facts[1] ~= ARGV[2] or tonumber(facts[2] or 0) ~= tonumber(ARGV[3]) then return 0 end
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], 'XX', ARGV[4], ARGV[1])
end
return 1
