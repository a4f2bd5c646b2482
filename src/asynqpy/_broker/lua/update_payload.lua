-- Exchange the message of a waiting task, if it is still the one that was read.     asynq: updateTaskPayloadCmd
-- A uniqueness lock that the task holds moves to the key of the new payload and keeps its end; one that it no longer
-- holds is not taken again.
-- KEYS  task scheduled retry archived
-- ARGV  id group_prefix expected message old_lock_key new_lock_key
-- Returns a code and the state: 1 done, 0 no such task, -1 its state does not allow it, -2 it is not where its state
-- says, -3 the message has changed, -4 another task holds the new lock.
local call = redis.call
local fields = call('HMGET', KEYS[1], 'msg', 'state', 'group')
local state, old_lock, new_lock = fields[2] or '', ARGV[5], ARGV[6]
if not fields[1] then
  return {0, ''}
end
local containers = {scheduled = KEYS[2], retry = KEYS[3], archived = KEYS[4]}
if state == 'aggregating' then
  containers[state] = ARGV[2] .. (fields[3] or '')
end
if state ~= 'pending' and not containers[state] then
  return {-1, state}
end
-- Looking for an id in a list is slow, and needless: what takes a task off the pending list changes its state too.
if state ~= 'pending' and not call('ZSCORE', containers[state], ARGV[1]) then
  return {-2, state}
end
if fields[1] ~= ARGV[3] then
  return {-3, state}
end
if old_lock ~= new_lock then
  if call('GET', old_lock) == ARGV[1] then
    if call('EXISTS', new_lock) == 1 and call('GET', new_lock) ~= ARGV[1] then
      return {-4, state}
    end
    local ends_in = call('PTTL', old_lock)
    call('DEL', old_lock)
    if ends_in > 0 then
      call('SET', new_lock, ARGV[1], 'PX', ends_in)
    else
      call('SET', new_lock, ARGV[1])
    end
  end
  call('HSET', KEYS[1], 'unique_key', new_lock)
end
call('HSET', KEYS[1], 'msg', ARGV[4])
return {1, state}
