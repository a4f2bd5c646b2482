-- Included by the scripts that read tasks: for each id its score in the container (empty in a list), its score in the
-- set beside it (a lease, or an exact due moment; empty when there is none), and the wanted fields of its hash.
local function rows(found, task_prefix, ids, scores, beside_key, fields)
  for i, id in ipairs(ids) do
    found[#found + 1] = id
    found[#found + 1] = scores[i] or ''
    found[#found + 1] = redis.call('ZSCORE', beside_key, id) or ''
    for _, value in ipairs(redis.call('HMGET', task_prefix .. id, unpack(fields))) do
      found[#found + 1] = value or ''
    end
  end
  return found
end

-- The ids and the scores of a reply WITHSCORES, in its order or turned round.
local function split(pairs_found, turned)
  local ids, scores = {}, {}
  local first, last, step = 1, #pairs_found - 1, 2
  if turned then
    first, last, step = last, first, -2
  end
  for at = first, last, step do
    ids[#ids + 1] = pairs_found[at]
    scores[#scores + 1] = pairs_found[at + 1]
  end
  return ids, scores
end

local function turn(ids)
  local turned = {}
  for at = #ids, 1, -1 do
    turned[#turned + 1] = ids[at]
  end
  return turned
end
