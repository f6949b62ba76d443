"""What Redis does in one step, as Lua. Keys and values are bytes; times are Unix seconds by the gateways' clocks.

How it works: *epoch* is a hash of the server's ``run_id`` and the time since which the state is complete. Every script
that depends on it compares the run id first: after a restart or a failover, which may have lost the last writes, it
begins a new epoch, as it does in an empty database. So no replica can use a state that has lost entries before it
knows so, and the first replica that looks sets the epoch for all.

An entry's *version* is the number of the write, so that a replica which missed a message knows it.
"""

from typing import Any

_EPOCH = """
local run = string.match(redis.call('info', 'server'), 'run_id:(%x+)')
local epoch = redis.call('hmget', KEYS[1], 'run_id', 'since')
if epoch[1] ~= run then
  redis.call('hset', KEYS[1], 'run_id', run, 'since', ARGV[1])
  epoch = {run, ARGV[1]}
end
"""

CONSUME = (
    _EPOCH
    + """
if ARGV[5] ~= '' and tonumber(ARGV[5]) < tonumber(epoch[2]) then
  return -1
end
local value = redis.call('get', KEYS[2])
if value then
  local expires_at, by = string.match(value, '^(%S+) (%S+)$')
  if tonumber(expires_at) > tonumber(ARGV[1]) then
    return by == ARGV[3] and 1 or 0
  end
end
if ARGV[3] == '' then
  return 1
end
redis.call('set', KEYS[2], ARGV[2] .. ' ' .. ARGV[3], 'px', ARGV[4])
return 1
"""
)
"""Keys: epoch, the consumed key. Arguments: now, until, token, milliseconds to live, since or "".

Returns 1 if the key was not consumed, or by the same *token*; 0 if it was; -1 if that is not known. An empty *token*
consumes nothing."""

PROBE = (
    _EPOCH
    + """
redis.call('set', KEYS[2], ARGV[1], 'ex', 60)
return {epoch[1] .. ' ' .. epoch[2], tonumber(redis.call('get', KEYS[3]) or 0)}
"""
)
"""Keys: epoch, probe, version. Arguments: now. Returns epoch and version; fails if Redis cannot be written."""

PUT = """
local version = redis.call('incr', KEYS[2])
local old = redis.call('hget', KEYS[1], ARGV[2])
local expires_at, value = ARGV[3], ARGV[4]
if old then
  local old_expires_at, old_value = string.match(old, '^(%S+) (%S+)$')
  if tonumber(old_expires_at) > tonumber(expires_at) then expires_at = old_expires_at end
  if tonumber(old_value) > tonumber(value) then value = old_value end
end
redis.call('hset', KEYS[1], ARGV[2], expires_at .. ' ' .. value)
local entry = version .. ' ' .. ARGV[1] .. ' ' .. expires_at .. ' ' .. value .. ' ' .. ARGV[2]
return redis.call('publish', ARGV[5], entry)
"""
"""Keys: the hash of this kind, version. Arguments: kind, name, until, value, channel.

Neither expiry nor value is ever lowered: a later, weaker write must not undo a revocation. Returns how many replicas
have received it."""


def put_arguments(prefix: bytes, kind: bytes, name: str, until: float, value: float) -> tuple[list[bytes], list[Any]]:
    """Returns the keys and arguments of PUT. *prefix* begins every key."""
    encoded = name.encode("utf-8", "surrogatepass")
    return [prefix + kind, prefix + b"version"], [kind, encoded, repr(until), repr(value), prefix + b"changes"]


REMOVE = """
for i = 1, #ARGV, 2 do
  if redis.call('hget', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('hdel', KEYS[1], ARGV[i])
  end
end
return 0
"""
"""Keys: the hash of a kind. Arguments: names and values. Removes each name that still has that value."""

ADD_REQUESTS = """
local now = tonumber(ARGV[1])
local arrival_time = math.max(now, tonumber(redis.call('get', KEYS[1]) or ARGV[1])) + tonumber(ARGV[2])
local text = string.format('%.6f', arrival_time)
redis.call('set', KEYS[1], text, 'px', math.ceil((arrival_time - now) * 1000) + 60000)
return text
"""
"""Keys: a person's theoretical arrival time, see gateway.rate_limit. Arguments: now, the seconds to add to it.

Returns the new one."""

SET_STREAMS = """
if tonumber(ARGV[2]) > 0 then
  redis.call('hset', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[4])
  redis.call('pexpire', KEYS[1], 60000)
else
  redis.call('hdel', KEYS[1], ARGV[1])
end
local others, fields = 0, redis.call('hgetall', KEYS[1])
for i = 1, #fields, 2 do
  local count, expires_at = string.match(fields[i + 1], '^(%S+) (%S+)$')
  if tonumber(expires_at) <= tonumber(ARGV[3]) then
    redis.call('hdel', KEYS[1], fields[i])
  elseif fields[i] ~= ARGV[1] then
    others = others + tonumber(count)
  end
end
return others
"""
"""Keys: the hash of a person's or an address's numbers of streams by replica. Arguments: replica, its number, now, when
the number expires. Returns the sum of the other replicas' numbers."""

STORE = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  if tonumber(ARGV[3]) > 0 then
    redis.call('set', KEYS[2], ARGV[2], 'px', ARGV[3])
  end
  redis.call('del', KEYS[1])
end
return 0
"""
"""Keys: lease, value. Arguments: the lease's token, the new value, milliseconds to live, 0 to store nothing."""

RENEW = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('pexpire', KEYS[1], ARGV[2])
end
return 0
"""
"""Keys: lease. Arguments: its token, milliseconds to live."""
