-- Copyright (C) the ngx_rooms_module authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The last step of counting rooms while they change.  Where each room counts
-- was noted one after the other; every change since then is an event, so the
-- rooms that changed are those with a newer position.  KEYS[1]: the tenant's
-- hash.  ARGV: the position that is known.  Answers "ok", "room ID PLACE" for
-- each that changed, "at POSITION", and "more" if there are others; and the
-- counters of this same moment: "is SERVER COUNT" of these rooms' homes, "is
-- tenant COUNT".
--
-- With a cursor behind the position it answers a page of the servers'
-- counters, "is SERVER COUNT", and "next CURSOR".  These are read first: one
-- that changes later does so with a room of that server.

local prefix = string.sub(KEYS[1], 1, -7)
local call = redis.call
local out = {'ok'}

if ARGV[2] then
  local counts = call('HSCAN', prefix .. 'peers:unaccepted', ARGV[2], 'COUNT',
                      500)
  for i = 1, #counts[2], 2 do
    out[#out + 1] = 'is ' .. counts[2][i] .. ' ' .. counts[2][i + 1]
  end
  if counts[1] ~= '0' then out[#out + 1] = 'next ' .. counts[1] end
  return out
end

local page = call('ZRANGEBYSCORE', prefix .. 'active', '(' .. ARGV[1],
                  '+inf', 'WITHSCORES', 'LIMIT', 0, 1000)
local at = ARGV[1]
local homes = {}

local function sum(text)
  local n = 0
  for count in string.gmatch(text or '', '=(%d+)') do n = n + count end
  return n
end

local last = #page
local full = last == 2000

-- a commit's entries have one position: those of the last one come again
while full and page[last] == page[#page] do last = last - 2 end

for i = 1, last, 2 do
  local id = page[i]
  at = string.format('%.0f', tonumber(page[i + 1]))
  if string.sub(id, 1, 1) ~= ' ' then
    local h = call('HMGET', prefix .. 'r:' .. id, 'state', 'unaccepted',
                   'origin', 'joined', 'invited', 'peers')
    local place = 'tenant'
    if not h[1] or h[1] == 'closed' then
      place = 'none'
    elseif h[2] then
      place = (h[4] or 0) + (h[5] or 0) - sum(h[6] or '') > 0 and h[3]
              or 'none'
    end
    out[#out + 1] = 'room ' .. id .. ' ' .. place
    if h[3] then homes[h[3]] = true end
  end
end

out[#out + 1] = 'at ' .. at

for server in pairs(homes) do
  out[#out + 1] = 'is ' .. server .. ' '
                  .. (call('HGET', prefix .. 'peers:unaccepted', server)
                      or '0')
end

out[#out + 1] = 'is tenant ' .. (call('HGET', KEYS[1], 'rooms') or '0')

if full then out[#out + 1] = 'more' end

return out
