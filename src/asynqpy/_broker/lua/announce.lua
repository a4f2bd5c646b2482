-- Tell about a server and its running attempts.                          asynq: writeServerStateCmd
-- KEYS  server workers
-- ARGV  ttl_seconds info *( task_id worker_info )
-- Returns nothing.
redis.call('SETEX', KEYS[1], ARGV[1], ARGV[2])
redis.call('DEL', KEYS[2])
if #ARGV > 2 then
  for at = 3, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  end
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
