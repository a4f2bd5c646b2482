-- Included by the scripts that end attempts: takes tasks out of `active` if their claims still hold them.
--
-- A claim holds a task while three things are true: the lease has not ended by Redis' own clock, the lease was made by
-- a Python server (those never end on a whole second, Go's always do), and the token of the claim is in the hash.
-- Go's recoverer and a later claim each break at least one of them, so an attempt declared dead cannot be finished.

local call = redis.call

-- ARGV from position `first` on holds `width` values a task, its id and token first.
-- Returns the positions of the tasks released, in order, and the ids refused.
local function release(active_key, lease_key, task_prefix, first, width)
  local held, refused, ids, gone = {}, {}, {}, {}
  for at = first, #ARGV, width do
    ids[#ids + 1] = ARGV[at]
  end
  if #ids == 0 then
    return held, refused
  end
  local time = call('TIME')
  local now = time[1] + time[2] / 1000000
  local leases = call('ZMSCORE', lease_key, unpack(ids))
  for i = 1, #ids do
    local id, at = ids[i], first + (i - 1) * width
    local ends = tonumber(leases[i] or '0')
    if ends >= now and ends % 1 ~= 0
      and call('HGET', task_prefix .. id, 'py:claim') == ARGV[at + 1]
      -- Tasks end roughly in the order they were claimed, so the search from the tail is short.
      and call('LREM', active_key, -1, id) == 1 then
      held[#held + 1] = at
      gone[#gone + 1] = id
    else
      refused[#refused + 1] = id
    end
  end
  if #gone > 0 then
    call('ZREM', lease_key, unpack(gone))
  end
  return held, refused
end

local function unlock(lock_key, id)
  if lock_key ~= '' and call('GET', lock_key) == id then
    call('DEL', lock_key)
  end
end
