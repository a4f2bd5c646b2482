-- Add to what a queue did in a minute, and note how many tasks wait in it now.
-- KEYS  rollup pending
-- ARGV  ttl_seconds *( field count )
-- Returns nothing.
for at = 2, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('HSET', KEYS[1], 'depth', redis.call('LLEN', KEYS[2]))
redis.call('EXPIRE', KEYS[1], ARGV[1])
