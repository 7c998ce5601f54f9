-- Copyright (C) the ngx_rooms_module authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Steps of "roomsctl verify" over what is counted as a whole: a tenant's
-- media, and the words that find people.  KEYS[1]: the tenant's hash.  ARGV:
--
--     people CURSOR             -> "p ID" for each who has to be found
--     words CURSOR              -> "w ID" for each entry
--     media CURSOR              -> "m SHA256 ID SIZE" for each medium
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

local keys = {people = 'participants', words = 'words:people'}
local page = redis.call(ARGV[1] == 'words' and 'ZSCAN' or 'HSCAN',
                        prefix .. (keys[ARGV[1]] or ARGV[1]), ARGV[2],
                        'COUNT', 500)

for i = 1, #page[2], 2 do
  if ARGV[1] == 'words' then
    out[#out + 1] = 'w ' .. (string.match(page[2][i], '([^ ]+)$') or '')
  elseif ARGV[1] == 'people' then
    if not string.find(page[2][i + 1], '"deactivated":true', 1, true) then
      out[#out + 1] = 'p ' .. page[2][i]
    end
  elseif ARGV[1] == 'media' then
    local sha = string.match(page[2][i + 1], '"sha256":"(%x+)"')
    local size = string.match(page[2][i + 1], '"size":(%d+)')
    out[#out + 1] = sha and size
                    and 'm ' .. sha .. ' ' .. page[2][i] .. ' ' .. size
                    or 'broken media: the row of ' .. page[2][i]
                       .. ' is unreadable'
  else
    out[#out + 1] = 'b ' .. page[2][i] .. ' ' .. page[2][i + 1]
  end
end

if page[1] ~= '0' then out[#out + 1] = 'next ' .. page[1] end

return out
