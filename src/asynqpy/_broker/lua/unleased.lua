-- Find active ids without a lease, and leases without an active id; see `mend`, which mends both.
-- KEYS  active lease
-- Returns the two lists.
local active, is_active, without_lease, without_id = redis.call('LRANGE', KEYS[1], 0, -1), {}, {}, {}
for _, id in ipairs(active) do
  is_active[id] = true
  if not redis.call('ZSCORE', KEYS[2], id) then
    without_lease[#without_lease + 1] = id
  end
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if not is_active[id] then
    without_id[#without_id + 1] = id
  end
end
return {without_lease, without_id}
