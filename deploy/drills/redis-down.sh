#!/bin/sh
# Redis down: limits are counted by each instance for itself meanwhile; with on-backend-error: closed nothing is issued instead.
. "$(dirname "$0")/lib.sh"
need redis-server redis-server
issuer_up
port=$((20000 + $$ % 12000))
redis_up() {
  start redis redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work"
  redis=$pid
  heard redis 'Ready to accept'
}
redis_up
limits() { printf 'rate-limits: { backend: redis, redis-url: "redis://127.0.0.1:%s", on-backend-error: %s }\n' "$port" "$1"; }
{ limits local; issuers; } > local.yaml
{ limits closed; issuers; } > closed.yaml
serve_up local --config local.yaml --data local
local=$url
serve_up closed --config closed.yaml --data closed
closed=$url
expect 0 sign a "$local"
expect 0 sign b "$closed"

step 'Redis dies'
kill -9 "$redis"
expect 0 sign c "$local"
expect 0 verify c "$local"
refused() { ! sign d "$closed"; }
until_ok 10 refused
said '503|later|unavailable|cannot be'

step 'both are alive all the while'
for one in "$local" "$closed"; do expect 0 verify a "$local"; done

step 'Redis is back: both issue, without a restart'
redis_up
until_ok 30 sign e "$closed"
expect 0 sign f "$local"
