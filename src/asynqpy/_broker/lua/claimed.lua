-- Read the active tasks of one claim, or of every claim of one server.
-- For a claim whose reply was lost, and for the tasks of a worker process that died.
-- KEYS  active lease
-- ARGV  task_prefix token_prefix
-- Returns a flat list of each task: id, message, lease score, crashes, whether its last attempt was begun, token.
local found = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local fields = redis.call('HMGET', ARGV[1] .. id, 'py:claim', 'msg', 'py:crashes', 'py:begun')
  if fields[1] and fields[2] and string.sub(fields[1], 1, #ARGV[2]) == ARGV[2] then
    local score = redis.call('ZSCORE', KEYS[2], id)
    if score and tonumber(score) % 1 ~= 0 then
      found[#found + 1] = id
      found[#found + 1] = fields[2]
      found[#found + 1] = score
      found[#found + 1] = fields[3] or '0'
      found[#found + 1] = fields[4] == fields[1] and 1 or 0
      found[#found + 1] = fields[1]
    end
  end
end
return found
