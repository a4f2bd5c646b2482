-- Tell about the entries of a scheduler.                                 asynq: writeSchedulerEntriesCmd
-- Each is pushed before the last one, so the list is in reverse, as asynq has it.
-- KEYS  entries
-- ARGV  ttl_seconds *( entry )
-- Returns nothing.
redis.call('DEL', KEYS[1])
for at = 2, #ARGV, 1 do
  redis.call('LPUSH', KEYS[1], ARGV[at])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
