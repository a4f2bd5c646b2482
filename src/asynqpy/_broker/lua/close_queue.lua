-- Stop a queue from being served, because it is about to be deleted: pause it, unless a task of it runs.
-- KEYS  active paused
-- ARGV  now_seconds
-- Returns how many tasks run.
local running = redis.call('LLEN', KEYS[1])
if running == 0 then
  redis.call('SET', KEYS[2], ARGV[1], 'NX')
end
return running
