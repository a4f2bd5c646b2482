-- Release a uniqueness lock whose task is gone, or is one that does not hold it.
-- KEYS  lock task
-- ARGV  id
-- Returns 1, or 0 when it is held by right.
-- include message_text
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local fields = redis.call('HMGET', KEYS[2], 'unique_key', 'msg')
if KEYS[1] == (fields[1] or message_text(fields[2] or '', UNIQUE_KEY)) then
  return 0
end
return redis.call('DEL', KEYS[1])
