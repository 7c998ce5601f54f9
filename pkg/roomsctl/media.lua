-- Copyright (C) the ngx_rooms_module authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Steps of "roomsctl verify" over a tenant's media.  KEYS[1]: the tenant's
-- hash.  ARGV:
--
--     media CURSOR              -> "m SHA256" for each medium
--     blobs CURSOR              -> "b SHA256 COUNT" for each content
--     mend SHA256 WAS COUNT     sets a count that is still as it was
--
-- The first line is "ok", and "next CURSOR" says that there is more.

local prefix = string.sub(KEYS[1], 1, -7)
local out = {'ok'}

if ARGV[1] == 'mend' then
  local k = prefix .. 'blobs'
  if (redis.call('HGET', k, ARGV[2]) or '0') == ARGV[3] then
    if ARGV[4] == '0' then
      redis.call('HDEL', k, ARGV[2])
    else
      redis.call('HSET', k, ARGV[2], ARGV[4])
    end
  end
  return out
end

local page = redis.call('HSCAN', prefix .. ARGV[1], ARGV[2], 'COUNT', 500)

for i = 1, #page[2], 2 do
  if ARGV[1] == 'media' then
    local sha = string.match(page[2][i + 1], '"sha256":"(%x+)"')
    out[#out + 1] = sha and 'm ' .. sha
                    or 'broken media: the row of ' .. page[2][i]
                       .. ' is unreadable'
  else
    out[#out + 1] = 'b ' .. page[2][i] .. ' ' .. page[2][i + 1]
  end
end

if page[1] ~= '0' then out[#out + 1] = 'next ' .. page[1] end

return out
