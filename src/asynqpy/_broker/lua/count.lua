-- Included by the scripts that count outcomes.
-- A counter that cannot be increased (at its largest value, or no number at all) starts again, as asynq's totals do.
local function increase(key, by)
  local value = redis.pcall('INCRBY', key, by)
  if type(value) == 'table' then
    redis.call('SET', key, by)
    return by, true
  end
  return value, false
end

local function increase_today(key, by, expire_at)
  if increase(key, by) == by then
    redis.call('EXPIREAT', key, expire_at)
  end
end

-- keys: processed, processed_today, failed, failed_today. A wrap of `processed` takes `failed` with it.
local function count(keys, done, failures, expire_at)
  if done == 0 then
    return
  end
  increase_today(keys[2], done, expire_at)
  local _, wrapped = increase(keys[1], done)
  if failures == 0 then
    return
  end
  increase_today(keys[4], failures, expire_at)
  if wrapped then
    redis.call('SET', keys[3], failures)
  else
    increase(keys[3], failures)
  end
end
