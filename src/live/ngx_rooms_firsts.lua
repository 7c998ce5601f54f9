-- For each room, the position of its first event after a given position, or
-- ''.
--
-- KEYS: the rooms' events.  ARGV: the position, with a "(" before it.

local firsts = {}

for i, key in ipairs(KEYS) do
  firsts[i] = redis.call('ZRANGEBYSCORE', key, ARGV[1], '+inf',
                         'WITHSCORES', 'LIMIT', 0, 1)[2] or ''
end

return firsts
