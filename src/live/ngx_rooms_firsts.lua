-- Where the first event of each room behind a position stands, or ''.
--
-- KEYS: events of rooms.  ARGV: the position, with a bracket before it.

local firsts = {}

for i, key in ipairs(KEYS) do
  firsts[i] = redis.call('ZRANGEBYSCORE', key, ARGV[1], '+inf',
                         'WITHSCORES', 'LIMIT', 0, 1)[2] or ''
end

return firsts
