-- The guarded commit: see ngx_rooms_commit.h.
--
-- KEYS[1] is the ring of the worker's last commits, KEYS[2] the position
-- counter, KEYS[3] the tenant's hash; the plans number the others.
--
-- ARGV: 1 the commit's number, with a fixed number of digits; 2 its place in
-- the ring; 3 its lowest possible position, in decimal; 4 the same in
-- hexadecimal digits; 5 the number of positions it takes ('': none), of which
-- it returns the last; 6 the plan of the guards; 7 that of the writes; 8 the
-- marks; 9 head and 10 tail of the event's row; 11 its time; then the
-- arguments of the guards, and those of the writes.
--
-- Plans are bytes, since a number as text costs a conversion, and an
-- additional argument.  A guard is its kind in one byte and its key's number
-- in two.  The plan of the writes starts with the numbers of the events' key
-- (0: no event) and of the room whose field "at" has the time of its last
-- event (0: none).  A write is its command in one byte, then its key's number
-- and the count of its arguments in two bytes each.  A mark is an argument's
-- number in two bytes and an offset in it in three.  There the script replaces
-- '\1' by the position in hexadecimal digits, '\2' by the position in decimal,
-- and '\3' by the time, which is never before that of the room's last event.
-- The last mark of an argument comes first.
--
-- FORGET, UNCOUNT and SHED aren't commands of Redis.  FORGET removes members
-- of a zset: those that a field of a hash lists, each word with the same
-- suffix.  So overwriting a name needs no guard to remove the old words from
-- an index.  UNCOUNT removes a range of a zset's members and the fields of a
-- hash with the same names, as they are at the commit, including members added
-- meanwhile.  SHED removes a zset's members up to a score, but at most a given
-- number; the rest waits for the next commit.
--
-- Returns {1, position}, with the time as a third value if a later one was
-- taken; {0, number of the guard that failed}; or {-1, 0}: the commit came too
-- late and was barred, or is in the ring already.

local K, A, call = KEYS, ARGV, redis.call
local byte, sub, format = string.byte, string.sub, string.format

local own = call('HMGET', K[3], 'schema', 'epoch')
if own[1] and own[1] ~= '@NGX_ROOMS_SCHEMA@' then
  return redis.error_reply('SCHEMA ' .. own[1]
                           .. ' is not @NGX_ROOMS_SCHEMA@, which is known here')
end

local i, plan = 12, A[6]
for g = 1, #plan, 3 do
  local kind, high, low = byte(plan, g, g + 2)
  local k, ok = K[high * 256 + low], nil
  if kind == 1 then                                 -- a hash's field is
    ok = call('HGET', k, A[i]) == A[i + 1]
    i = i + 2
  elseif kind == 2 then                             -- a hash has no such field
    ok = call('HEXISTS', k, A[i]) == 0
    i = i + 1
  elseif kind == 3 then                             -- bound of two fields' sum
    local v = call('HMGET', k, A[i], A[i + 1])
    local n = tonumber(v[1] or 0) + tonumber(v[2] or 0)
    ok = n + tonumber(A[i + 2]) <= tonumber(A[i + 3])
    i = i + 4
  elseif kind == 4 or kind == 5 then                -- at least; or below
    local v = call('HGET', k, A[i]) or '0'
    local n = tonumber(string.match(v, '^%d+') or 0)
    ok = (n >= tonumber(A[i + 1])) == (kind == 4)
    i = i + 2
  elseif kind == 6 then                             -- a zset's first two
    ok = table.concat(call('ZREVRANGE', k, 0, 1), ' ') == A[i]
    i = i + 1
  elseif kind == 7 then                             -- a string is
    ok = call('GET', k) == A[i]
    i = i + 1
  elseif kind == 8 then                             -- a key doesn't exist
    ok = call('EXISTS', k) == 0
  elseif kind == 9 then                             -- a zset has a member
    ok = call('ZSCORE', k, A[i])
    i = i + 1
  elseif kind == 10 then                            -- ... with this score
    ok = tonumber(call('ZSCORE', k, A[i]) or 'nan') == tonumber(A[i + 1])
    i = i + 2
  elseif kind == 11 then                            -- a zset hasn't a member
    ok = not call('ZSCORE', k, A[i])
    i = i + 1
  elseif kind == 12 then                            -- size of a key's value
    ok = call(A[i], k) == tonumber(A[i + 1])
    i = i + 2
  elseif kind == 13 then                            -- a quota
    local most = tonumber(call('HGET', K[3], A[i]) or A[i + 1])
    local last = i + 4 + A[i + 4]
    most = most or tonumber(A[i + 1])
    local n = tonumber(call(A[i + 3], k, unpack(A, i + 5, last)) or 0)
    ok = most < 0 or n + A[i + 2] <= most
    i = last + 1
  end
  if not ok then return {0, (g + 2) / 3} end
end

-- Nothing is written yet, and from here on nothing may fail.  Numbers with the
-- same number of digits compare as text.

local had = call('HGET', K[1], A[2])
if had and had >= A[1] then return {-1, 0} end

local pos, hex = '0', nil
if A[5] == '1' then
  pos, hex = A[3], A[4]
  local was = call('SET', K[2], pos, 'GET')
  if was and (#was > #pos or #was == #pos and was >= pos) then
    -- commits of this millisecond have used up its positions
    pos, hex = format('%d', was + 1), format('%013x', was + 1)
    call('SET', K[2], pos)
  end
elseif A[5] ~= '' then
  local new = math.max(tonumber(call('GET', K[2]) or 0), A[3] - 1) + A[5]
  pos, hex = format('%d', new), format('%013x', new)
  call('SET', K[2], pos)
end

-- Clocks of nodes differ and may be set back, but a room's times never go
-- back.  A stored time that is a day ahead comes from a wrong clock and is
-- ignored.

local high, low, room, room2 = byte(A[7], 1, 4)
local time, later = A[11], nil
room = K[room * 256 + room2]
if room then
  local was = call('HGET', room, 'at')
  if was and #was < 16 and not was:find('%D')
     and (tonumber(was) or 0) > tonumber(time)
     and tonumber(was) - tonumber(time) < 86400000
  then
    time, later = was, was
  end
end

call('HSET', K[1], A[2], A[1] .. ' ' .. pos .. (later and ' ' .. later or ''))
if not had then call('EXPIRE', K[1], @NGX_ROOMS_COMMIT_KEPT@) end

-- A new tenant gets this schema's number and an epoch, which is unique to the
-- store.

if not (own[1] and own[2]) then
  call('HSET', K[3], 'schema', '@NGX_ROOMS_SCHEMA@')
  call('HSETNX', K[3], 'epoch', string.sub(redis.sha1hex(K[1] .. A[1]), 1, 32))
end

if hex then
  local marks = A[8]
  for m = 1, #marks, 5 do
    local high, low, a, b, c = byte(marks, m, m + 4)
    local j = high * 256 + low
    local s = A[j]
    if s == '\2' then
      A[j] = pos
    else
      local at = (a * 256 + b) * 256 + c
      local kind = byte(s, at)
      A[j] = sub(s, 1, at - 1)
             .. (kind == 1 and hex or kind == 2 and pos or time)
             .. sub(s, at + 1)
    end
  end
end

local commands = {@NGX_ROOMS_COMMANDS@}

plan = A[7]
for w = 5, #plan, 5 do
  local command, high, low, n1, n2 = byte(plan, w, w + 4)
  local k, last = K[high * 256 + low], i + n1 * 256 + n2 - 1
  if command < 15 then
    call(commands[command], k, unpack(A, i, last))
  elseif command == 15 then                         -- PUBLISH
    -- the only write that may fail: an ACL without the channel
    redis.pcall('PUBLISH', k, A[i])
  elseif command == 16 then                         -- FORGET
    local listed = call('HGET', K[tonumber(A[i])], A[i + 1]) or ''
    for word in string.gmatch(listed, '[^ ]+') do
      call('ZREM', k, word .. A[i + 2])
    end
  elseif command == 17 then                         -- UNCOUNT
    for _, name in ipairs(call('ZRANGEBYLEX', k, A[i + 1], A[i + 2])) do
      call('HDEL', K[tonumber(A[i])], name)
      call('ZREM', k, name)
    end
  else                                              -- SHED
    local old = call('ZRANGEBYSCORE', k, '-inf', A[i], 'LIMIT', 0, A[i + 1])
    if #old > 0 then call('ZREM', k, unpack(old)) end
  end
  i = last + 1
end

-- after all other writes, since one of them may remove the room's events
local events = K[high * 256 + low]
if events then call('ZADD', events, pos, A[9] .. A[10]) end

return {1, pos, later}
