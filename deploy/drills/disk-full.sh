#!/bin/sh
# Disk full: nothing is issued that cannot be written down; with room again it goes on by itself, and the log is whole.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || lacking 'root, to mount a small disk'
disk="$work/disk"
mkdir -p "$disk"
mount -t tmpfs -o size=16m,mode=0700 none "$disk" 2>/dev/null || lacking 'the right to mount a small disk'
also_clean() { umount "$disk" 2>/dev/null || true; }
issuer_up
issuers > mayfly.yaml
serve_up mayfly --config mayfly.yaml --data "$disk/data"
expect 0 sign a "$url"

step 'the disk is full: what the journal has room for is taken, for as long as it may still be published in time'
cat /dev/zero > "$disk/fill" 2>/dev/null || true
expect 0 sign b "$url"
until_ok 60 answers 503 "$url/readyz"
expect 0 answers 200 "$url/healthz"
expect 2 sign c "$url"
said LOG_UNAVAILABLE

step 'there is room again: it goes on, without a restart'
rm "$disk/fill"
until_ok 60 sign c "$url"
until_ok 20 answers 200 "$url/readyz"
expect 0 verify a "$url"
expect 0 verify b "$url"
expect 0 verify c "$url"
until_ok 10 $MAYFLY log verify "$url"

step 'and the log on the disk is whole'
stop "$pid"
expect 0 $MAYFLY log fsck --data "$disk/data"
