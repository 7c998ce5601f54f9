-- Copyright (C) the ngx_rooms_module authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The store was restored from a backup.  KEYS[1]: the tenant's hash; ARGV[1]:
-- the new epoch, ARGV[2]: a position that is above all that were given.  What
-- was under way when the backup was made is over: claims of Idempotency-Key
-- and leases end by themselves.

local prefix = string.sub(KEYS[1], 1, -7)
local call = redis.call
local is = tonumber(call('GET', prefix .. 'position') or 0)

if call('EXISTS', KEYS[1]) == 0 then return {'none'} end

if tonumber(ARGV[2]) > is then call('SET', prefix .. 'position', ARGV[2]) end
call('HSET', KEYS[1], 'epoch', ARGV[1])

return {'ok'}
