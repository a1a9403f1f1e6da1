#!/bin/sh
# Key compromise: the keys of CA, timestamp authority and log may be known to others. All are replaced while it serves; what was
# signed before stays good, and what the old CA key signs from now on is not (docs/rotation.md).
. "$(dirname "$0")/lib.sh"
issuer_up
issuers > mayfly.yaml
serve_up mayfly --config mayfly.yaml --data data
expect 0 sign before "$url"

step 'the next ones begin at once'
for what in ca log; do
  expect 0 $MAYFLY $what rotate --config mayfly.yaml --data data
  expect 0 $MAYFLY $what rotate --activate --config mayfly.yaml --data data
done
for next in data/ca-2 data/timestamp-2 data/log-2; do [ -d "$next" ] || fail "there is no $next"; done
until_ok 20 $MAYFLY log verify "$url/log/2/"
expect 0 sign after "$url"
expect 0 verify after "$url"

step 'nothing that the old keys sign from now on is trusted'
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
expect 0 $MAYFLY ca distrust ca --since "$now" --config mayfly.yaml --data data
expect 0 $MAYFLY ca distrust timestamp --since "$now" --config mayfly.yaml --data data
expect 0 $MAYFLY log distrust log --since "$now" --config mayfly.yaml --data data

step 'what was signed before the loss verifies, and what is signed now'
until_ok 20 verify before "$url"
expect 0 sign later "$url"
expect 0 verify later "$url"

step 'with trust in the old key ended for all time, the old signature is refused'
expect 0 $MAYFLY ca distrust ca --since ever --config mayfly.yaml --data data
refused() { ! verify before "$url"; }
until_ok 20 refused
expect 0 verify later "$url"
