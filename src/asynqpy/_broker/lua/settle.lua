-- Make ids in a container and their hashes agree again; those that do are left alone.
-- An id without a task is dropped. One that the container named by its hash holds as well leaves this one. Else the
-- hash is told where it is.
-- KEYS  container pending active lease scheduled retry archived completed aggregation_sets spent
-- ARGV  task_prefix group_prefix state group now_nanoseconds *( id )
-- Returns the ids for which something was done.
-- include holds
local container, state, group = KEYS[1], ARGV[3], ARGV[4]
local places = {
  pending = KEYS[2], active = KEYS[3], scheduled = KEYS[5], retry = KEYS[6], archived = KEYS[7], completed = KEYS[8],
}
local is_list = state == 'pending' or state == 'active'

local function remove(id)
  if is_list then
    redis.call('LREM', container, 0, id)
  else
    redis.call('ZREM', container, id)
  end
  if state == 'active' then
    redis.call('ZREM', KEYS[4], id)
  end
end

local done = {}
for at = 6, #ARGV, 1 do
  local id = ARGV[at]
  local key = ARGV[1] .. id
  local fields = redis.call('HMGET', key, 'state', 'group')
  local agrees = fields[1] == state and (state ~= 'aggregating' or fields[2] == group)
  local has_task = redis.call('HEXISTS', key, 'msg') == 1
  if redis.call(is_list and 'LPOS' or 'ZSCORE', container, id) and not (agrees and has_task) then
    if not has_task then
      remove(id)
      redis.call('DEL', key)
    elseif holds(places, {KEYS[9], KEYS[10]}, ARGV[2], id, fields[1] or '', fields[2]) then
      remove(id)
    else
      redis.call('HSET', key, 'state', state)
      if state == 'aggregating' then
        redis.call('HSET', key, 'group', group)
      elseif state == 'pending' then
        redis.call('HSET', key, 'pending_since', ARGV[5])
      end
    end
    done[#done + 1] = id
  end
end
return done
