-- Included by the scripts that create tasks: may this task be created?
-- The id is checked before the lock is taken, so that a conflict leaves no lock behind; a duplicate is still reported first.
local function reserve(key, id, message, lock_key, lock_seconds)
  if lock_key ~= '' and redis.call('EXISTS', lock_key) == 1 then
    -- After a lost reply the same call comes again: then this task holds the lock itself.
    if redis.call('GET', lock_key) == id and redis.call('HGET', key, 'msg') == message then
      return 2
    end
    return -1
  end
  if redis.call('EXISTS', key) == 1 then
    if redis.call('HGET', key, 'msg') == message then
      return 2
    end
    return 0
  end
  if lock_key ~= '' then
    redis.call('SET', lock_key, id, 'EX', lock_seconds)
    redis.call('HSET', key, 'unique_key', lock_key)
  end
  return 1
end
