-- Mend what no operation leaves behind but a broken one can: active ids without a lease, leases without an active id.
-- Costs two lengths while they agree.
-- KEYS  active lease pending
-- ARGV  task_prefix now_nanoseconds
-- Returns the ids put back to pending, and how many entries were cleared away.
if redis.call('LLEN', KEYS[1]) == redis.call('ZCARD', KEYS[2]) then
  return {{}, 0}
end
local restored, cleared, is_active = {}, 0, {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if is_active[id] or redis.call('ZSCORE', KEYS[2], id) then
    is_active[id] = true
  elseif redis.call('LREM', KEYS[1], 0, id) > 0 then -- 0: listed twice, and done at its first place
    local key = ARGV[1] .. id
    if redis.call('HEXISTS', key, 'msg') == 1 then
      redis.call('RPUSH', KEYS[3], id)
      redis.call('HSET', key, 'state', 'pending', 'pending_since', ARGV[2])
      redis.call('HDEL', key, 'py:claim', 'py:begun')
      restored[#restored + 1] = id
    else
      redis.call('DEL', key)
      cleared = cleared + 1
    end
  end
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if not is_active[id] then
    redis.call('ZREM', KEYS[2], id)
    cleared = cleared + 1
  end
end
return {restored, cleared}
