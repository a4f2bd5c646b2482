-- Tell about a server, what it handles, and its running attempts.         asynq: writeServerStateCmd
-- KEYS  server workers handled
-- ARGV  ttl_seconds info patterns *( task_id worker_info )
-- Returns nothing.
redis.call('SETEX', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then
  redis.call('SETEX', KEYS[3], ARGV[1], ARGV[3])
end
redis.call('DEL', KEYS[2])
if #ARGV > 3 then
  for at = 4, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  end
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
