#!lua
-- Reads a page of waiting lists that share no entry as if they were one, the oldest first.
-- KEYS: the lists (sorted sets).   ARGV: where the page starts, how many.   Returns how many of the oldest entries below
-- are before the page, then for each list its entries that may be on the page: entry, score …
-- Entries of one score stand in the order of the lists, so that pages do not overlap.
local lists, left, count = #KEYS, tonumber(ARGV[1]), tonumber(ARGV[2])
local starts = {}
for i = 1, lists do starts[i] = 0 end

-- Of all lists look at the entry a stride ahead. The oldest of them and all before it in its own list are before the
-- page, for of every other list less than a stride is older: it takes the logarithm of `start`, not `start`, to get there.
while lists > 0 and left >= lists do
  local stride, oldest, since = math.floor(left / lists), nil, nil
  for i = 1, lists do
    local ahead = redis.call('ZRANGE', KEYS[i], starts[i] + stride - 1, starts[i] + stride - 1, 'WITHSCORES')
    local score = ahead[2] and tonumber(ahead[2])
    if score and (not since or score < since) then oldest, since = i, score end
  end
  if not oldest then return { 0 } end  -- the page is beyond the end
  starts[oldest], left = starts[oldest] + stride, left - stride
end

local out = { left }
for i = 1, lists do
  out[i + 1] = redis.call('ZRANGE', KEYS[i], starts[i], starts[i] + left + count - 1, 'WITHSCORES')
end
return out
