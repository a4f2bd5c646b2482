-- Take members out of an aggregation set that nobody can aggregate: archive the tasks whose message cannot be read, and
-- forget the ids of no task.
-- KEYS  set aggregation_sets archived
-- ARGV  task_prefix now_seconds cutoff_seconds limit *( id reason )
-- Returns the ids archived.
-- include trim_archive
local archived = {}
for at = 5, #ARGV, 2 do
  local id = ARGV[at]
  local key = ARGV[1] .. id
  if redis.call('ZREM', KEYS[1], id) == 1 then
    local fields = redis.call('HMGET', key, 'state', 'msg')
    if not fields[2] then
      redis.call('DEL', key) -- an id without a task
    elseif fields[1] == 'aggregating' then
      redis.call('ZADD', KEYS[3], ARGV[2], id)
      redis.call('HSET', key, 'state', 'archived', 'py:traceback', ARGV[at + 1])
      archived[#archived + 1] = id
    end
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], KEYS[1])
end
if #archived > 0 then
  trim_archive(KEYS[3], ARGV[1], ARGV[3], tonumber(ARGV[4]))
end
return archived
