-- Copyright (C) the ngx_rooms_module authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The last step of counting rooms while they change.  Where each room counts
-- was noted one after the other; every change since then is an event, so the
-- rooms that changed are those with a newer position.  KEYS[1]: the tenant's
-- hash.  ARGV: the position that is known.  Answers "ok", "room ID PLACE" for
-- each that changed, "at POSITION", then "more", or, when nothing is left,
-- the counters of this same moment: "is tenant COUNT", "is SERVER COUNT".

local prefix = string.sub(KEYS[1], 1, -7)
local call = redis.call
local out = {'ok'}
local page = call('ZRANGEBYSCORE', prefix .. 'active', '(' .. ARGV[1],
                  '+inf', 'WITHSCORES', 'LIMIT', 0, 1000)
local at = ARGV[1]

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
  end
end

out[#out + 1] = 'at ' .. at

if full then
  out[#out + 1] = 'more'
  return out
end

out[#out + 1] = 'is tenant ' .. (call('HGET', KEYS[1], 'rooms') or '0')

local homes = call('HGETALL', prefix .. 'peers:unaccepted')
for i = 1, #homes, 2 do
  out[#out + 1] = 'is ' .. homes[i] .. ' ' .. homes[i + 1]
end

return out
