// Scripts: one issuance's buckets and replay record, decided and written by Redis in one step (the rule of admission/gcra.ts).

/** Microseconds since the epoch by the server's clock, so that replicas of the CA need not agree on theirs. */
const SERVER_TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]`;

/**
 * KEYS: the buckets, then the replay record where there is one; all under one hash tag, so in one slot.
 * ARGV: number of buckets; for each its emission interval and tolerance in microseconds; then mode, SPKI hash, and
 * milliseconds that the record must live.
 * Answer: 1 allowed, 0 limited, -1 replayed; then each bucket's debt in microseconds, a spend included.
 * A double is written with %.0f, as tostring() would round a TAT to 14 digits.
 */
export function spendScript(clock = SERVER_TIME): string {
  return `${clock}
local buckets = tonumber(ARGV[1])
local held = redis.call('MGET', unpack(KEYS))
local answer = {1}

local uses = 0
local mode, spki, life = ARGV[2 * buckets + 2], ARGV[2 * buckets + 3], ARGV[2 * buckets + 4]
local record = held[buckets + 1]
if record then
  local used, key = string.match(record, '^(%d+):(.*)$')
  if mode ~= 'same-key' or key ~= spki then return {-1} end
  uses = tonumber(used)
end

local tats = {}
for i = 1, buckets do
  local emission, tolerance = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  tats[i] = tonumber(held[i] or 0) or 0
  local debt = tats[i] - now
  if debt < 0 then debt = 0 end
  if debt > tolerance then debt = tolerance end
  if debt + emission > tolerance then answer[1] = 0 end
  answer[i + 1] = debt
end

for i = 1, buckets do
  local debt = answer[i + 1]
  if answer[1] == 1 then
    debt = debt + tonumber(ARGV[2 * i])
    answer[i + 1] = debt
  end
  local tat = now + debt
  -- After a denial only a TAT that was cut to the tolerance is written: waiting as told has to help.
  if answer[1] == 1 or tats[i] > tat then
    redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', math.max(1, math.ceil(debt / 1000)))
  end
end

if answer[1] == 1 and mode then
  if record then
    redis.call('SET', KEYS[buckets + 1], (uses + 1) .. ':' .. spki, 'KEEPTTL')
  else
    redis.call('SET', KEYS[buckets + 1], '1:' .. spki, 'PX', life)
  end
end
return answer`;
}

/**
 * KEYS as for the spend. ARGV: number of buckets; the emission interval of each; then the SPKI hash where there is a
 * record, which goes when no other use of the token is left.
 */
export const REFUND_SCRIPT = `${SERVER_TIME}
local buckets = tonumber(ARGV[1])
local held = redis.call('MGET', unpack(KEYS))
for i = 1, buckets do
  local tat = (tonumber(held[i] or 0) or 0) - tonumber(ARGV[i + 1])
  if tat > now then
    redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
  elseif held[i] then
    redis.call('DEL', KEYS[i])
  end
end
local record = held[buckets + 1]
if record then
  local used, key = string.match(record, '^(%d+):(.*)$')
  if key == ARGV[buckets + 2] then
    if tonumber(used) > 1 then
      redis.call('SET', KEYS[buckets + 1], (used - 1) .. ':' .. key, 'KEEPTTL')
    else
      redis.call('DEL', KEYS[buckets + 1])
    end
  end
end
return 1`;
