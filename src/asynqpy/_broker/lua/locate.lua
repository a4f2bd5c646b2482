-- Tell of each hash whether the container that its state names holds it.
-- KEYS  pending active scheduled retry archived completed aggregation_sets spent
-- ARGV  task_prefix group_prefix search_pending *( id )
-- Without `search_pending`, which is slow in a long list, pending tasks are left undecided.
-- Returns a flat list of each id: id, state (empty when unknown), whether there is a message, whether it is held (2:
-- undecided).
-- include holds
local places = {
  pending = KEYS[1], active = KEYS[2], scheduled = KEYS[3], retry = KEYS[4], archived = KEYS[5], completed = KEYS[6],
}
local found = {}
for at = 4, #ARGV, 1 do
  local id = ARGV[at]
  local fields = redis.call('HMGET', ARGV[1] .. id, 'state', 'group')
  local state, held = fields[1] or '', 2
  if state ~= 'pending' or ARGV[3] == '1' then
    held = holds(places, {KEYS[7], KEYS[8]}, ARGV[2], id, state, fields[2]) and 1 or 0
  end
  found[#found + 1] = id
  found[#found + 1] = state
  found[#found + 1] = redis.call('HEXISTS', ARGV[1] .. id, 'msg')
  found[#found + 1] = held
end
return found
