-- A page of new events from several sources, in the order of positions: see
-- ngx_rooms_page.c.
--
-- ARGV: from, to, maximum of events and of bytes, and the prefix of a joined
-- member's row.  Then for each source its kind, a lower bound of its
-- positions, and a field.  Sources are sorted by this bound.  KEYS: what the
-- sources read.
--
--   e  a room's events; KEYS: events and members, field: the participant, who
--      must be a member
--   m  the event at that position; KEYS: events
--   r  a read marker; KEYS: the participant's markers, field: the room
--
-- The script reads a source only when the page has reached its bound, so it
-- reads little beyond the end of the page.
--
-- Returns whether there is more; the last position; pairs of a source's number
-- and the member's row; and for each event its source, its position, its JSON.

local A, K = ARGV, KEYS
local from, to, joined = A[1], tonumber(A[2]), A[5]
local limit, bytes = tonumber(A[3]), tonumber(A[4])
local call, floor = redis.call, math.floor
local heap, rows, out = {}, {}, {}

-- Reads the next event of a source; returns a false value at its end.
local function read(s)
  if s.kind ~= 'e' then
    if s.body or s.at > to then return false end
    s.body = s.kind == 'r' and call('HGET', s.key, s.field)
             or s.kind == 'm' and call('ZRANGEBYSCORE', s.key, s.at, s.at)[1]
    return s.body
  end
  if s.i == #s.page then
    if s.short then return false end
    s.page = call('ZRANGEBYSCORE', s.key, s.from, to, 'WITHSCORES',
                  'LIMIT', 0, s.want)
    s.short = #s.page < 2 * s.want
    s.i = 0
    if not s.page[1] then return false end
    s.want = #s.page[1] < 4096 and math.min(16, 2 * s.want) or 1
    s.from = '(' .. s.page[#s.page]
  end
  s.body, s.at = s.page[s.i + 1], tonumber(s.page[s.i + 2])
  s.i = s.i + 2
  return true
end

local function up()
  local i = #heap
  local s = heap[i]
  while i > 1 and heap[floor(i / 2)].at > s.at do
    heap[i] = heap[floor(i / 2)]
    i = floor(i / 2)
  end
  heap[i] = s
end

local function down()
  local i, s, n = 1, heap[1], #heap
  while 2 * i <= n do
    local c = 2 * i
    if c < n and heap[c + 1].at < heap[c].at then c = c + 1 end
    if heap[c].at >= s.at then break end
    heap[i] = heap[c]
    i = c
  end
  heap[i] = s
end

local i, k, n, number, size, last, more = 6, 1, 0, 0, 0, 0, 0

while true do
  while A[i] and (not heap[1] or tonumber(A[i + 1]) <= heap[1].at) do
    local s = { kind = A[i], at = tonumber(A[i + 1]), field = A[i + 2],
                key = K[k], number = number }
    local may = true
    i, k, number = i + 3, k + 1, number + 1
    if s.kind == 'e' then
      local row = call('HGET', K[k], s.field)
      s.page, s.i, s.from, s.want = {}, 0, from, 1
      k = k + 1
      rows[#rows + 1] = s.number
      rows[#rows + 1] = row
      may = row and string.sub(row, 1, #joined) == joined
    end
    if may and read(s) then
      heap[#heap + 1] = s
      up()
    end
  end

  local s = heap[1]
  if not s then break end

  -- an event that two sources have counts once
  if s.at ~= last then
    if n == limit or (n > 0 and size + #s.body > bytes) then
      more = 1
      break
    end
    n, size, last = n + 1, size + #s.body, s.at
  end

  out[#out + 1] = s.number
  out[#out + 1] = s.at
  out[#out + 1] = s.body

  if not read(s) then
    heap[1] = heap[#heap]
    heap[#heap] = nil
  end
  if heap[1] then down() end
end

return { more, last, rows, out }
