-- Included by the scripts that take many tasks: ARGV from position `first`, `width` values a task.
local function rows(first, width)
  local list = {}
  for at = first, #ARGV, width do
    local row = {}
    for column = 1, width do
      row[column] = ARGV[at + column - 1]
    end
    list[#list + 1] = row
  end
  return list
end
