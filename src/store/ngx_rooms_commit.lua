-- The guarded commit: see ngx_rooms_commit.h.
--
-- KEYS[1] is the ring of the worker's last commits, KEYS[2] the position
-- counter, KEYS[3] the tenant's hash; guards and writes number the others.
--
-- ARGV: the commit's number and its place in the ring; floor; guards' count,
-- guards; key number of the events (0: no event; -n: none either, but n
-- positions, of which the last is answered) with its head and tail; writes'
-- count, writes as command, key, count of the arguments (negative: they name
-- the position), arguments.
--
-- FORGET is no command of Redis: it removes from a zset what a field of a hash
-- lists, each word with the same end.  So who overwrites a name needs no guard
-- to take the old one's words out of an index.  Nor is UNCOUNT: it removes a
-- range of a zset's members, and a hash's fields of the same names, as they are
-- at the commit, so that who adds to the range meanwhile leaves nothing behind.
-- SHED removes a zset's members up to a score, but only so many: the rest waits
-- for the next commit.
--
-- Answers {1, position}, {0, the guard that doesn't hold}, or {-1, 0}: the
-- commit came too late and was barred, or is in the ring already.

local K, A, i, pos = KEYS, ARGV, 5, '0'
local call = redis.call

local own = call('HMGET', K[3], 'schema', 'epoch')
if own[1] and own[1] ~= '@NGX_ROOMS_SCHEMA@' then
  return redis.error_reply('SCHEMA ' .. own[1]
                           .. ' is not @NGX_ROOMS_SCHEMA@, which is known here')
end

for g = 1, tonumber(A[4]) do
  local guard, k, ok = A[i], K[tonumber(A[i + 1])], nil
  if guard == 'has' then
    ok = call('HGET', k, A[i + 2]) == A[i + 3]
    i = i + 4
  elseif guard == 'lacks' then
    ok = call('HEXISTS', k, A[i + 2]) == 0
    i = i + 3
  elseif guard == 'bound' then
    local v = call('HMGET', k, A[i + 2], A[i + 3])
    local n = tonumber(v[1] or 0) + tonumber(v[2] or 0)
    ok = n + tonumber(A[i + 4]) <= tonumber(A[i + 5])
    i = i + 6
  elseif guard == 'least' or guard == 'below' then
    local v = call('HGET', k, A[i + 2]) or '0'
    local n = tonumber(string.match(v, '^%d+') or 0)
    ok = (n >= tonumber(A[i + 3])) == (guard == 'least')
    i = i + 4
  elseif guard == 'top' then
    ok = table.concat(call('ZREVRANGE', k, 0, 1), ' ') == A[i + 2]
    i = i + 3
  elseif guard == 'string' then
    ok = call('GET', k) == A[i + 2]
    i = i + 3
  elseif guard == 'no-key' then
    ok = call('EXISTS', k) == 0
    i = i + 2
  elseif guard == 'member' then
    ok = call('ZSCORE', k, A[i + 2])
    i = i + 3
  elseif guard == 'score' then
    ok = tonumber(call('ZSCORE', k, A[i + 2]) or 'nan') == tonumber(A[i + 3])
    i = i + 4
  elseif guard == 'no-member' then
    ok = not call('ZSCORE', k, A[i + 2])
    i = i + 3
  elseif guard == 'count' then
    ok = call(A[i + 2], k) == tonumber(A[i + 3])
    i = i + 4
  elseif guard == 'quota' then
    local own = tonumber(call('HGET', K[3], A[i + 2]) or A[i + 3])
    local most, last = own or tonumber(A[i + 3]), i + 6 + tonumber(A[i + 6])
    local n = tonumber(call(A[i + 5], k, unpack(A, i + 7, last)) or 0)
    ok = most < 0 or n + tonumber(A[i + 4]) <= most
    i = last + 1
  end
  if not ok then return {0, g} end
end

-- Nothing may fail from here on, and nothing was written yet.

local had = call('HGET', K[1], A[2])
if had and tonumber(string.match(had, '^%d+')) >= tonumber(A[1]) then
  return {-1, 0}
end

local e = tonumber(A[i])
local new = 0
if e ~= 0 then
  new = math.max(tonumber(call('GET', K[2]) or 0), tonumber(A[3]) - 1)
        + (e > 0 and 1 or -e)
  pos = string.format('%.0f', new)
end

call('HSET', K[1], A[2], A[1] .. ' ' .. pos)
if not had then call('EXPIRE', K[1], @NGX_ROOMS_COMMIT_KEPT@) end

-- A tenant without a schema number gets this one's, and an epoch that no other
-- store has.

if not (own[1] and own[2]) then
  call('HSET', K[3], 'schema', '@NGX_ROOMS_SCHEMA@')
  call('HSETNX', K[3], 'epoch', string.sub(redis.sha1hex(K[1] .. A[1]), 1, 32))
end

local at
if e ~= 0 then
  call('SET', K[2], pos)
  local by = {['\1'] = string.format('%013x', new), ['\2'] = pos}
  at = function(s) return (string.gsub(s, '[\1\2]', by)) end
end

local head, tail = A[i + 1], A[i + 2]
local writes = tonumber(A[i + 3])
i = i + 4
for w = 1, writes do
  local command, n = A[i], tonumber(A[i + 2])
  if n < 0 then
    n = -n
    for j = i + 3, i + 2 + n do A[j] = at(A[j]) end
  end
  local k = K[tonumber(A[i + 1])]
  if command == 'FORGET' then
    local listed = call('HGET', K[tonumber(A[i + 3])], A[i + 4]) or ''
    for word in string.gmatch(listed, '[^ ]+') do
      call('ZREM', k, word .. A[i + 5])
    end
  elseif command == 'UNCOUNT' then
    for _, name in ipairs(call('ZRANGEBYLEX', k, A[i + 4], A[i + 5])) do
      call('HDEL', K[tonumber(A[i + 3])], name)
      call('ZREM', k, name)
    end
  elseif command == 'SHED' then
    local old = call('ZRANGEBYSCORE', k, '-inf', A[i + 3], 'LIMIT', 0,
                     A[i + 4])
    if #old > 0 then call('ZREM', k, unpack(old)) end
  else
    -- the only write that may fail: an ACL without the channel
    local f = command == 'PUBLISH' and redis.pcall or call
    f(command, k, unpack(A, i + 3, i + 2 + n))
  end
  i = i + 3 + n
end

-- after all other writes: one of them may remove the room's events
if e > 0 then call('ZADD', K[e], pos, at(head) .. tail) end

return {1, new}
