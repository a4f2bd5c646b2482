-- Give hashes that are in no container a place, or delete them; those that have found one meanwhile are left alone.
-- KEYS  pending active scheduled retry archived completed aggregation_sets spent
-- ARGV  task_prefix group_prefix lock_prefix *( id state target score message )
-- `state` is what the hash is expected to say; an empty `target` deletes it; an empty `message` keeps the stored one.
-- Returns the ids that were placed or deleted.
-- include holds
-- include message_text
-- include forget
local places = {
  pending = KEYS[1], active = KEYS[2], scheduled = KEYS[3], retry = KEYS[4], archived = KEYS[5], completed = KEYS[6],
}
local done = {}
for at = 4, #ARGV, 5 do
  local id, state, target, message = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]
  local key = ARGV[1] .. id
  local fields = redis.call('HMGET', key, 'state', 'group')
  local is_same = redis.call('EXISTS', key) == 1 and (fields[1] or '') == state
  if is_same and not holds(places, {KEYS[7], KEYS[8]}, ARGV[2], id, state, fields[2]) then
    if target == '' then
      forget(ARGV[1], ARGV[3], {id})
    else
      redis.call('ZADD', places[target], ARGV[at + 3], id)
      redis.call('HSET', key, 'state', target)
      redis.call('HDEL', key, 'py:claim', 'py:begun', 'pending_since')
      if message ~= '' then
        redis.call('HSET', key, 'msg', message)
      end
    end
    done[#done + 1] = id
  end
end
return done
