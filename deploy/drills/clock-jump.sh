#!/bin/sh
# Clock jump: a clock that is set back stops issuance until it is right again; one that ran ahead has left entries of the future in the
# log, and a new log takes its place.
. "$(dirname "$0")/lib.sh"
library=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
[ -n "$library" ] || lacking 'libfaketime (apt-get install faketime)'
# Every process of the drill is on the machine whose clock jumps.
clock() { printf '%s\n' "$1" > "$work/clock.new"; mv "$work/clock.new" "$work/clock"; }
clock +0
export LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$work/clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
issuer_up
issuers > mayfly.yaml
serve_up mayfly --config mayfly.yaml --data data
expect 0 sign a "$url"

step 'set back by two seconds: the log waits for nobody, its times never go back'
clock -2s
expect 0 sign b "$url"
expect 0 verify b "$url"

step 'set back by an hour: nothing is issued'
clock -3600s
expect 2 sign c "$url"
said 'LOG_UNAVAILABLE|503'

step 'the clock is right again: it goes on by itself'
clock +0
until_ok 30 sign d "$url"
expect 0 verify d "$url"
expect 0 $MAYFLY log verify "$url"

step 'ahead by a day, for a moment: what was issued meanwhile is of the future'
clock +86400s
expect 0 sign e "$url"
clock +0
expect 2 sign c "$url"

step 'a new log takes its place, and a restart makes the timestamp authority forget; the log before stays readable'
expect 0 $MAYFLY log rotate --config mayfly.yaml --data data
expect 0 $MAYFLY log rotate --activate --config mayfly.yaml --data data
stop "$pid"
serve_up again --config mayfly.yaml --data data
until_ok 30 sign f "$url"
expect 0 verify f "$url"
expect 0 verify d "$url"
expect 0 $MAYFLY log verify "$url/log/2/"
