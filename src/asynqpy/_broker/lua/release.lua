-- Included by the scripts that end an attempt: takes tasks out of `active` if this claim still holds them.
--
-- A claim holds a task while three things are true: the lease has not ended by Redis' own clock, the lease was made by
-- a Python server (those never end on a whole second, Go's always do), and the token of the claim is in the hash.
-- Go's recoverer and a later claim each break at least one of them, so an attempt declared dead cannot be finished.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- tasks: list of {id, token, ...}. Returns those released, in order, and the ids refused.
local function release(active_key, lease_key, task_prefix, tasks)
  local held, refused, gone, ids = {}, {}, {}, {}
  if #tasks == 0 then
    return held, refused
  end
  for i, task in ipairs(tasks) do
    ids[i] = task[1]
  end
  local now = clock()
  local leases = redis.call('ZMSCORE', lease_key, unpack(ids))
  for i, task in ipairs(tasks) do
    local ends = tonumber(leases[i] or '0')
    if ends >= now and ends % 1 ~= 0
      and redis.call('HGET', task_prefix .. task[1], 'py:claim') == task[2]
      -- Tasks end roughly in the order they were claimed, so the search from the tail is short.
      and redis.call('LREM', active_key, -1, task[1]) == 1 then
      held[#held + 1] = task
      gone[#gone + 1] = task[1]
    else
      refused[#refused + 1] = task[1]
    end
  end
  if #gone > 0 then
    redis.call('ZREM', lease_key, unpack(gone))
  end
  return held, refused
end

local function unlock(lock_key, id)
  if lock_key ~= '' and redis.call('GET', lock_key) == id then
    redis.call('DEL', lock_key)
  end
end
