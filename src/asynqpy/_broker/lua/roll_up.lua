-- Add to what a queue did in a minute, and note how many tasks wait in it now; of the first time, when that was, too.
-- KEYS  rollup pending
-- ARGV  ttl_seconds now_seconds *( field count )
-- Returns nothing.
local depth = redis.call('LLEN', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'first_at', ARGV[2], 'first_depth', depth)
end
for at = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('HSET', KEYS[1], 'depth', depth)
redis.call('EXPIRE', KEYS[1], ARGV[1])
