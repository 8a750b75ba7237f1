#!lua
-- Puts a batch of submissions on the queue: each is opened, appended, completed, known, early, unopened, refused, on its own.
-- KEYS: jiesu:tickets, jiesu:events, jiesu:due, jiesu:immediate.   ARGV: grace (s), number of items, then the fields of each item.
-- Documents arrive as bytes and are only joined here: cjson would turn [] into {} and round numbers.
-- Every item is checked before its first write; `entry` is written last, so its presence means "complete".

local TICKETS, EVENTS, DUE, IMMEDIATE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local RANK = { immediate = 1, ['2h'] = 2, ['24h'] = 3, ['7d'] = 4, ['15d'] = 5 }  -- the order of normalizer.ticket.Tier
local cursor = 0
local function take()
  cursor = cursor + 1
  return ARGV[cursor]
end
local function take_list()
  local list = {}
  for i = 1, tonumber(take()) do list[i] = take() end
  return list
end

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6

local function ticket_of(thread)
  if string.sub(thread, 1, 7) == 'number:' then
    return redis.call('GET', 'jiesu:number:' .. string.sub(thread, 8))
  end
  return redis.call('GET', 'jiesu:thread:' .. thread)
end

local function belongs(ticket, senders)
  local known = '\n' .. (redis.call('HGET', 'jiesu:ticket:' .. ticket, 'senders') or '') .. '\n'
  for _, sender in ipairs(senders) do
    if string.find(known, '\n' .. sender .. '\n', 1, true) then return true end
  end
  return false
end

-- The first thread decides; a thread that others opened and this sender has no part in is only remarked on. A number
-- that nobody has yet may be on its way, from another gateway or behind a row that is tried again: then it is early.
local function place(item)
  local stranger, early = false, false
  for _, thread in ipairs(item.threads) do
    local ticket = ticket_of(thread)
    if ticket and redis.call('HEXISTS', 'jiesu:ticket:' .. ticket, 'entry') == 1 then
      if belongs(ticket, item.senders) then return ticket, false, false end
      stranger = true
    elseif string.sub(thread, 1, 7) == 'number:' then
      early = true
    end
  end
  return nil, stranger, early
end

local function alias(item, ticket)
  local key = 'jiesu:number:' .. item.number
  local holder = redis.call('GET', key)
  if holder and holder ~= ticket then return false end
  if not holder then
    redis.call('SET', key, ticket)
    redis.call('HSET', 'jiesu:ticket:' .. ticket, 'alias:' .. item.number, item.id)
  end
  return true
end

local function free(item)
  local holder = redis.call('GET', 'jiesu:number:' .. item.number)
  return not holder or holder == item.id
end

local function link(item, ticket)
  for _, key in ipairs(item.known_as) do
    redis.call('SET', 'jiesu:thread:' .. key, ticket)  -- the newest is what its author goes on with
  end
  for _, incident in ipairs(item.incidents) do
    redis.call('SET', 'jiesu:incident:' .. incident, ticket, 'NX')
  end
  for _, thread in ipairs(item.threads) do
    if string.sub(thread, 1, 7) ~= 'number:' then
      redis.call('SET', 'jiesu:thread:' .. thread, ticket, 'NX')
    end
  end
end

-- What several speak of: the first ticket there stays it, later ones are related to it.
local function related(item)
  local found, named = {}, { [item.id] = true }
  for _, incident in ipairs(item.incidents) do
    local first = redis.call('GET', 'jiesu:incident:' .. incident)
    if first and not named[first] then
      named[first] = true
      found[#found + 1] = '{"ticket_id":"' .. first .. '","relation":"same_incident","score":null}'
    end
  end
  if #found > 0 and string.sub(item.doc, -1) ~= '[' then table.insert(found, 1, '') end
  return table.concat(found, ',')
end

-- The schedule says when; jiesu:immediate says which of it the sweeper looks at first.
local function schedule(ticket, tier, due)
  redis.call('ZADD', DUE, due, ticket)
  if tier == 'immediate' then redis.call('SADD', IMMEDIATE, ticket) end
end

local function more_urgent(one, other)
  return (RANK[other] or 9) < (RANK[one] or 9) and other or one
end

local function open(item, stranger)
  local key = 'jiesu:ticket:' .. item.id
  local doc = '{"schema_version":"1.0","ticket_id":"' .. item.id .. '","number":"' .. item.number .. '","version":1'
    .. item.doc .. related(item) .. item.rest .. (stranger and item.stranger or '') .. ']}'
  local senders = item.senders
  senders[#senders + 1] = 'code:' .. item.code
  redis.call('HSET', key, 'doc', doc, 'number', item.number, 'code', item.code, 'state', 'received', 'version', 1,
    'tier', item.tier, 'digest', item.digest, 'senders', table.concat(senders, '\n'))
  redis.call('SET', 'jiesu:number:' .. item.number, item.id)
  link(item, item.id)
  schedule(item.id, item.tier, now + item.grace)
  redis.call('SET', 'jiesu:submission:' .. item.id, item.id)
  local entry = redis.call('XADD', TICKETS, '*', 'event', item.opened .. ',"id":"' .. item.id
    .. '.accepted","subject":"' .. item.id .. '","data":' .. doc .. '}')
  redis.call('HSET', key, 'entry', entry)
end

-- steps holds version - 1 entries. Nothing here may fail halfway, for nothing would finish it: every key written was
-- looked at before (check_type, HEXISTS, belongs), and `open` always wrote the fields that are read.
local function append(item, ticket)
  local key, steps = 'jiesu:ticket:' .. ticket, 'jiesu:steps:' .. ticket
  local facts = redis.call('HMGET', key, 'version', 'number', 'senders', 'tier')
  local version = tonumber(facts[1]) + 1
  local event = item.followed .. ',"id":"' .. ticket .. '.' .. version .. '","subject":"' .. ticket
    .. '","data":{"ticket_id":"' .. ticket .. '","number":"' .. facts[2] .. '","version":' .. version
    .. item.message .. '}}'
  local tier = more_urgent(facts[4] or '', item.tier)
  redis.call('RPUSH', steps, event)
  redis.call('HSET', key, 'version', version, 'tier', tier, 'digest:' .. item.id, item.digest, 'message', version,
    'attempts', 0, 'senders', facts[3] .. '\n' .. table.concat(item.senders, '\n') .. '\ncode:' .. item.code)
  redis.call('SET', 'jiesu:submission:' .. item.id, ticket)
  link(item, ticket)
  alias(item, ticket)
  schedule(ticket, tier, now)
  redis.call('XADD', EVENTS, '*', 'event', event)
end

local function known(item, ticket)
  local field = ticket == item.id and 'digest' or ('digest:' .. item.id)
  local digest = redis.call('HGET', 'jiesu:ticket:' .. ticket, field)
  if digest and digest ~= item.digest then return { 'conflict', ticket } end
  if not alias(item, ticket) then return { 'number_taken', ticket } end
  return { 'known', ticket }
end

local function check_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= wanted then
    error({ err = 'WRONGTYPE ' .. key .. ' holds a ' .. found })
  end
end

local function put(item)
  check_type('jiesu:submission:' .. item.id, 'string')
  check_type('jiesu:ticket:' .. item.id, 'hash')
  check_type('jiesu:number:' .. item.number, 'string')
  local ticket = redis.call('GET', 'jiesu:submission:' .. item.id)
  if ticket and ticket ~= item.id then return known(item, ticket) end
  local facts = redis.call('HMGET', 'jiesu:ticket:' .. item.id, 'entry', 'number', 'digest')
  if facts[1] or (ticket and not facts[2]) then return known(item, item.id) end
  if facts[2] then  -- half-written: finish it under the number it already has
    if facts[3] and facts[3] ~= item.digest then return { 'conflict', item.id } end
    if item.number ~= facts[2] and not alias(item, item.id) then return { 'number_taken', item.id } end
    item.number = facts[2]
    open(item, false)
    return { 'completed', item.id }
  end
  if not free(item) then return { 'number_taken', item.id } end
  local grown, stranger, early = place(item)
  if grown then
    check_type('jiesu:steps:' .. grown, 'list')
    append(item, grown)
    return { 'appended', grown }
  end
  if early then return { 'early', item.id } end
  if item.opens == '0' then return { 'unopened', item.id } end
  open(item, stranger)
  return { 'opened', item.id }
end

check_type(TICKETS, 'stream')
check_type(EVENTS, 'stream')
check_type(DUE, 'zset')
check_type(IMMEDIATE, 'set')
local grace = tonumber(take())
local results = {}
for i = 1, tonumber(take()) do
  local item = {
    grace = grace, id = take(), opens = take(), digest = take(), number = take(), code = take(), tier = take(),
    opened = take(), doc = take(), rest = take(), stranger = take(), followed = take(), message = take(),
    threads = take_list(), senders = take_list(), known_as = take_list(), incidents = take_list(),
  }
  local fine, result = pcall(put, item)
  if fine then
    results[i] = result
  else
    results[i] = { 'error', type(result) == 'table' and result.err or tostring(result) }
  end
end
return results
