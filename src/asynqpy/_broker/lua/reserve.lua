-- Included by the scripts that create tasks: may this task be created?
-- The id is checked before the lock is taken, so that a conflict leaves no lock behind; a duplicate is still reported
-- first.
local call = redis.call

local function taken(key, message)
  if call('EXISTS', key) == 0 then
    return nil
  end
  return call('HGET', key, 'msg') == message and 2 or 0
end

local function reserve(key, id, message, lock_key, lock_seconds)
  if lock_key == '' then
    return taken(key, message) or 1
  end
  if call('EXISTS', lock_key) == 1 then
    -- After a lost reply the same call comes again: then this task holds the lock itself.
    local is_own = call('GET', lock_key) == id and call('HGET', key, 'msg') == message
    return is_own and -2 or -1
  end
  local code = taken(key, message)
  if code then
    return code
  end
  call('SET', lock_key, id, 'EX', lock_seconds)
  call('HSET', key, 'unique_key', lock_key)
  return 1
end
