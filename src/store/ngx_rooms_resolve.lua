-- resolve: the result of a commit whose answer was lost.  If the store hasn't
-- received the commit, it is barred for good.
--
-- KEYS[1] is the worker's ring, ARGV the commit's number and its place there.
-- Returns the position, 'barred', or 'overtaken': a later commit has the
-- place.

local had = redis.call('HGET', KEYS[1], ARGV[2])
local n, pos = string.match(had or '-1 ', '^(-?%d+) (.*)$')

if tonumber(n) == tonumber(ARGV[1]) then return pos end
if tonumber(n) > tonumber(ARGV[1]) then return 'overtaken' end

redis.call('HSET', KEYS[1], ARGV[2], ARGV[1] .. ' barred')
redis.call('EXPIRE', KEYS[1], @NGX_ROOMS_COMMIT_KEPT@)

return 'barred'
