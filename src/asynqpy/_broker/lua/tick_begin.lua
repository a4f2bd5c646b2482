-- Read which tick of a periodic entry was decided last. The first scheduler that asks notes where the entry begins, so
-- that ticks which it misses from then on are known to be missed.
-- KEYS  marker
-- ARGV  tick keep_seconds
-- Returns the tick and the code of its decision, which is empty when the entry has only begun.
local marker = redis.call('HMGET', KEYS[1], 'tick', 'code')
if marker[1] then
  return {marker[1], marker[2] or ''}
end
redis.call('HSET', KEYS[1], 'tick', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {ARGV[1], ''}
