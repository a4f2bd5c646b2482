-- Create the task that an aggregation has made, and delete the tasks that it was made of: both or nothing.
-- asynq: an enqueue, and later deleteAggregationSetCmd; a crash in between aggregates the tasks once more.
-- More than `limit` tasks are deleted by further calls (drop_parts). Their set is no aggregation set any more then, but
-- listed in `spent`, so no peer gives them back.
-- KEYS  aggregation_sets set spent destination due
-- ARGV  task_prefix state id message lock_key lock_seconds score due_milliseconds now_nanoseconds limit
-- Returns a code, and how many tasks are left to be deleted. Codes: 1 done, 2 done before by this very message, 0 id
-- taken, -1 duplicate of a unique task, -3 the set's time is over.
-- include reserve
-- include note_due
-- include delete_parts
local set, id, message, lock_key = KEYS[2], ARGV[3], ARGV[4], ARGV[5]
local key = ARGV[1] .. id
local ends = call('ZSCORE', KEYS[1], set)
if not ends or tonumber(ends) <= tonumber(call('TIME')[1]) then
  return {call('HGET', key, 'msg') == message and 2 or -3, 0}
end

-- The new task may have the id or the lock of one of those that it replaces.
local function is_part(part)
  return part and call('ZSCORE', set, part) and call('HGET', ARGV[1] .. part, 'state') == 'aggregating'
end
local holder = lock_key ~= '' and call('GET', lock_key)
if holder and not is_part(holder) then
  return {-1, 0}
end
local id_of_part = is_part(id)
if not id_of_part and call('EXISTS', key) == 1 then
  return {0, 0}
end

-- What a broken database could refuse comes first: scripts are not rolled back.
if ARGV[2] == 'scheduled' then
  call('ZADD', KEYS[4], ARGV[7], id)
  note_due(KEYS[5], id, ARGV[8])
  keep_due(KEYS[5])
else
  call('LPUSH', KEYS[4], id)
end
if id_of_part then
  local lock = call('HGET', key, 'unique_key')
  if lock and call('GET', lock) == id then
    call('DEL', lock)
  end
  call('ZREM', set, id)
  call('DEL', key)
end
if holder then
  call('DEL', lock_key)
end
reserve(key, id, message, lock_key, ARGV[6])

call('HSET', key, 'msg', message, 'state', ARGV[2])
if ARGV[2] == 'pending' then
  call('HSET', key, 'pending_since', ARGV[9])
end
call('ZREM', KEYS[1], set)
local left = delete_parts(set, ARGV[1], tonumber(ARGV[10]))
if left > 0 then
  call('ZADD', KEYS[3], ends, set)
end
return {1, left}
