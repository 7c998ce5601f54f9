-- The guarded commit: see ngx_rooms_commit.h.
--
-- KEYS[1] records this commit and 15 others of its worker, KEYS[2] is the
-- position counter, KEYS[3] the tenant's hash; the plan numbers the others.
--
-- ARGV: 1 the position that the commit should get; 2 the number of positions it
-- takes ('': none), of which this is the last; 3 the plan; 4 the marks; 5 the
-- event's time; 6 the commit's field of KEYS[1]; 7 the event's row; then the
-- arguments of the guards, and those of the writes.
--
-- The plan is bytes, since a number as text costs a conversion, and an
-- additional argument.  It starts with three bytes that say where the writes
-- begin, and two for the number of the events' key (0: no event).
-- A guard is its kind in one byte, then its key's number and its own in two
-- bytes each.  Kind 1, and 2 for the tenant's hash, are fields of a hash, which
-- are read by one command.  There the count of the fields replaces the guard's
-- number, and for each field a byte follows that says what is done with it, and
-- the guard's number: 0 it must be absent; 1 it must have a value; 2 it is the
-- time of the room's last event; 3 it is a limit of the tenant; 4 it is the
-- number of the room's messages, and 5 the event is one more.  The arguments
-- are the fields, then the values.
-- A write is its command in one byte, then its key's number and the count of
-- its arguments in two bytes each.
--
-- The arguments already contain the position and the time.  Only if another
-- commit has that position, or the room's last event is later, the script
-- replaces them.  A mark says where: an argument's number in two bytes, an
-- offset in it in three, and what stands there: 1 the position in hexadecimal
-- digits, 2 the position in decimal, 3 the time, 5 a number minus the position.
-- The last mark of an argument comes first.
--
-- The number of the room's messages is known only here.  The marks begin with
-- a byte that says how many arguments get it, and for each of them the
-- argument's number in two bytes, and in three how many bytes are behind it.
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
-- late and was barred, or is recorded already.

local K, A, call = KEYS, ARGV, redis.call
local byte, sub, format = string.byte, string.sub, string.format

local i, p, plan = 8, 6, A[3]
local l1, l2, l3, e1, e2 = byte(plan, 1, 5)
local writes = l1 * 65536 + l2 * 256 + l3
local limits, schema, epoch, was, messages

while p < writes do
  local kind, high, low, n1, n2 = byte(plan, p, p + 4)
  local k, n, ok = K[high * 256 + low], n1 * 256 + n2, nil
  p = p + 5
  if kind <= 2 then                                 -- fields of a hash
    local got, own = nil, 0
    if kind == 2 then
      got = call('HMGET', k, 'schema', 'epoch', unpack(A, i, i + n - 1))
      schema, epoch, own, limits = got[1], got[2], 2, {}
      if schema and schema ~= '@NGX_ROOMS_SCHEMA@' then
        return redis.error_reply('SCHEMA ' .. schema
                                 .. ' is not @NGX_ROOMS_SCHEMA@, '
                                 .. 'which is known here')
      end
    elseif n == 1 then
      got = {call('HGET', k, A[i])}
    else
      got = call('HMGET', k, unpack(A, i, i + n - 1))
    end
    local name = i - 1
    i = i + n
    for f = 1, n do
      local what, m1, m2 = byte(plan, p, p + 2)
      local value = got[own + f]
      p = p + 3
      if what == 1 then
        if value ~= A[i] then return {0, m1 * 256 + m2} end
        i = i + 1
      elseif what == 0 then
        if value then return {0, m1 * 256 + m2} end
      elseif what == 2 then
        was = value
      elseif what == 3 then
        limits[A[name + f]] = value
      else
        if not value or #value > 12 or not value:find('^%d+$') then
          value = 0
        end
        messages = format('%d', value + what - 4)
      end
    end
    ok = true
  elseif kind == 3 then                             -- bound of two fields' sum
    local v = call('HMGET', k, A[i], A[i + 1])
    local sum = tonumber(v[1] or 0) + tonumber(v[2] or 0)
    ok = sum + tonumber(A[i + 2]) <= tonumber(A[i + 3])
    i = i + 4
  elseif kind == 4 or kind == 5 then                -- at least; or below
    local v = call('HGET', k, A[i]) or '0'
    local is = tonumber(string.match(v, '^%d+') or 0)
    ok = (is >= tonumber(A[i + 1])) == (kind == 4)
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
    local most = tonumber(limits[A[i]] or A[i + 1]) or tonumber(A[i + 1])
    local last = i + 4 + A[i + 4]
    ok = most < 0
         or tonumber(call(A[i + 3], k, unpack(A, i + 5, last)) or 0)
            + A[i + 2] <= most
    i = last + 1
  end
  if not ok then return {0, n} end
end

-- Nothing is written yet, and from here on nothing may fail.  Numbers with the
-- same number of digits compare as text.

local pos = '0'
if A[2] ~= '' then
  pos = A[1]
  local last = call('SET', K[2], pos, 'GET')
  if last and (#last ~= #pos or last >= pos or A[2] ~= '1')
     and last - pos + A[2] > 0
  then
    -- another commit has it
    pos = format('%d', last + A[2])
    call('SET', K[2], pos)
  end
end

-- Clocks of nodes differ and may be set back, but a room's times never go
-- back.  A stored time that is a day ahead comes from a wrong clock and is
-- ignored.

local time, later = A[5], nil
if was and #was < 16 and not was:find('%D')
   and (tonumber(was) or 0) > tonumber(time)
   and tonumber(was) - tonumber(time) < 86400000
then
  time, later = was, was
end

-- If the field exists, the commit comes too late, or a second time.  The position
-- that it took is a gap.

if call('HSETNX', K[1], A[6], later and pos .. ' ' .. later or pos) == 0 then
  return {-1, 0}
end

-- A new tenant gets this schema's number and an epoch, which is unique to the
-- store.

if not (schema and epoch) then
  call('HSET', K[3], 'schema', '@NGX_ROOMS_SCHEMA@')
  call('HSETNX', K[3], 'epoch',
       sub(redis.sha1hex(K[1] .. ' ' .. A[6] .. A[7]), 1, 32))
end

local marks = A[4]
local counts = 5 * byte(marks)

if A[2] ~= '' and (pos ~= A[1] or later) then
  local given, less = #A[1], A[1] - pos
  local hex, ms = format('%013x', pos), #A[5]
  for m = 2 + counts, #marks, 6 do
    local high, low, a, b, c, kind = byte(marks, m, m + 5)
    local j, at = high * 256 + low, (a * 256 + b) * 256 + c
    local s = A[j]
    if kind == 5 then
      A[j] = format('%d', s + less)
    else
      A[j] = sub(s, 1, at - 1)
             .. (kind == 1 and hex or kind == 2 and pos or time)
             .. sub(s, at + (kind == 1 and 13 or kind == 2 and given or ms))
    end
  end
end

for m = 2, 1 + counts, 5 do
  local high, low, a, b, c = byte(marks, m, m + 4)
  local j = high * 256 + low
  local s = A[j]
  local at = #s - (a * 256 + b) * 256 - c
  A[j] = sub(s, 1, at) .. messages .. sub(s, at + 1)
end

local commands = {@NGX_ROOMS_COMMANDS@}

for w = writes, #plan, 5 do
  local command, high, low, n1, n2 = byte(plan, w, w + 4)
  local k, last = K[high * 256 + low], i + n1 * 256 + n2 - 1
  if command < 15 then
    call(commands[command], k, unpack(A, i, last))
  elseif command == 15 then                         -- PUBLISH
    -- the only write that may fail: an ACL without the channel
    redis.pcall('PUBLISH', k, A[i])
  elseif command == 16 then                         -- FORGET
    local listed = call('HGET', K[tonumber(A[i])], A[i + 1]) or ''
    local old, n = {}, 0
    for word in string.gmatch(listed, '[^ ]+') do
      n = n + 1
      old[n] = word .. A[i + 2]
    end
    if n > 0 then call('ZREM', k, unpack(old)) end
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
local events = K[e1 * 256 + e2]
if events then call('ZADD', events, pos, A[7]) end

return {1, pos, later}
