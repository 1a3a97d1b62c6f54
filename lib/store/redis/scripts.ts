import { createHash } from 'node:crypto'

/** A Lua script, which Redis runs as one command, and the digest under which it remembers it. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') })

export const replaceScript = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`)

// A key without a lifetime is none of ours: it counts as absent, or it would lock somebody out for good.
export const incrementScript = script(`
local ttl, limit, limitTtl = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local left = redis.call('PTTL', KEYS[1])
local count = 1
if left >= 0 then count = math.min(tonumber(redis.call('GET', KEYS[1])) + 1, limit + 1) end
if count == limit then
  redis.call('SET', KEYS[1], count, 'PX', limitTtl)
elseif left >= 0 then
  redis.call('SET', KEYS[1], count, 'KEEPTTL')
else
  redis.call('SET', KEYS[1], count, 'PX', ttl)
end
return {count, redis.call('PTTL', KEYS[1])}`)

export const decrementScript = script(`
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count > 0 and count < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], count - 1, 'KEEPTTL') end
return 0`)
