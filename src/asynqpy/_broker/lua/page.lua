-- Read a window of a list or sorted set of tasks.                        asynq: listMessagesCmd, listZSetEntriesCmd
-- A list is read from its tail, where the next task to run is; turned round, both are read from their other end.
-- KEYS  container beside
-- ARGV  task_prefix offset count descending *( field )
-- Returns a flat list of each task: id, score, score in `beside`, fields (empty when there is none).
-- include rows
local first, descending = tonumber(ARGV[2]), ARGV[4] == '1'
local last = first + tonumber(ARGV[3]) - 1
local fields = {}
for at = 5, #ARGV, 1 do
  fields[#fields + 1] = ARGV[at]
end
local ids, scores = {}, {}
if redis.call('TYPE', KEYS[1]).ok ~= 'list' then
  ids, scores = split(redis.call(descending and 'ZREVRANGE' or 'ZRANGE', KEYS[1], first, last, 'WITHSCORES'), false)
elseif descending then
  ids = redis.call('LRANGE', KEYS[1], first, last)
else
  ids = turn(redis.call('LRANGE', KEYS[1], -last - 1, -first - 1))
end
return rows({}, ARGV[1], ids, scores, KEYS[2], fields)
