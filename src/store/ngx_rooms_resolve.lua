-- resolve: the result of a commit whose answer was lost.  If the store hasn't
-- received the commit, it is barred for good.
--
-- KEYS[1] records the commit, ARGV is its field there.  Returns the position,
-- or 'barred'.

if redis.call('HSETNX', KEYS[1], ARGV[1], 'barred') == 0 then
  return redis.call('HGET', KEYS[1], ARGV[1])
end

redis.call('EXPIRE', KEYS[1], @NGX_ROOMS_COMMIT_EXPIRE@)

return 'barred'
