#!lua
-- Takes a ticket with nothing outstanding off the schedule, unless it moved meanwhile.
-- KEYS: jiesu:due, the ticket.   ARGV: ticket id, version.
if redis.call('HGET', KEYS[2], 'version') == ARGV[2] then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
