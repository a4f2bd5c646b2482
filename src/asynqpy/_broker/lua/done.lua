-- Delete tasks that ended and are not kept.                              asynq: doneCmd
-- KEYS  active lease processed processed_today
-- ARGV  task_prefix expire_at *( id token )
-- Returns the ids refused: no longer held by their claim.
-- include release
-- include count
local held, refused = release(KEYS[1], KEYS[2], ARGV[1], 3, 2)
if #held > 0 then
  local hashes = {}
  for i = 1, #held do
    hashes[i] = ARGV[1] .. ARGV[held[i]]
  end
  call('DEL', unpack(hashes))
  count({KEYS[3], KEYS[4]}, #held, 0, ARGV[2])
end
return refused
