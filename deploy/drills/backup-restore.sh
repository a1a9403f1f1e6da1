#!/bin/sh
# Back-up and restore of keys and log: the same CA and the same log go on elsewhere; a back-up that is too old is noticed.
. "$(dirname "$0")/lib.sh"
issuer_up
issuers > mayfly.yaml
printf 'a passphrase for the keys\n' > passphrase
serve_up first --config mayfly.yaml --data data --key-passphrase-file passphrase
port=${url##*:}
expect 0 sign before "$url"
until_ok 10 $MAYFLY log verify "$url" --save early

step 'a back-up while it serves'
expect 0 "$here/backup.sh" data early.tar
expect 0 sign between "$url"
until_ok 10 $MAYFLY log verify "$url" --since early --save late

step 'and one of everything, when it has stopped'
stop "$pid"
expect 0 "$here/backup.sh" data whole.tar
! grep -aq 'BEGIN PRIVATE KEY' whole.tar || fail 'a key lies in the back-up in clear'

step 'the machine is gone; another one gets the whole back-up'
mv data gone
expect 0 "$here/restore.sh" whole.tar data
expect 0 $MAYFLY log fsck --data data --key-passphrase-file passphrase
start second $MAYFLY serve --port "$port" --grpc-port 0 --metrics-port 0 --config mayfly.yaml --data data \
  --key-passphrase-file passphrase
heard second '"msg":"ready"'
expect 0 verify before "$url"
expect 0 verify between "$url"
expect 0 sign after "$url"
expect 0 verify after "$url"
until_ok 10 $MAYFLY log verify "$url" --since late --save newest
stop "$pid"

step 'a restore does not go over a folder that is there'
expect 1 "$here/restore.sh" whole.tar data

step 'the earlier back-up is whole, and is not the newest: who kept a checkpoint sees it'
mv data newer
expect 0 "$here/restore.sh" early.tar data
expect 0 $MAYFLY log fsck --data data --key-passphrase-file passphrase
start third $MAYFLY serve --port "$port" --grpc-port 0 --metrics-port 0 --config mayfly.yaml --data data \
  --key-passphrase-file passphrase
heard third '"msg":"ready"'
expect 1 $MAYFLY log verify "$url" --since newest
stop "$pid"

step 'so it takes no more entries: a new log does, and what the old one signed after the back-up is not trusted'
taken=$(date -u +%Y-%m-%dT%H:%M:%SZ)
rm -rf data
expect 0 "$here/restore.sh" early.tar data
keys='--config mayfly.yaml --data data --key-passphrase-file passphrase'
expect 0 $MAYFLY log rotate $keys
expect 0 $MAYFLY log rotate --activate $keys
expect 0 $MAYFLY log distrust log --since "$taken" $keys
start fourth $MAYFLY serve --port "$port" --grpc-port 0 --metrics-port 0 $keys
heard fourth '"msg":"ready"'
expect 0 sign new "$url"
expect 0 verify new "$url"
expect 0 $MAYFLY log verify "$url/log/2/"
expect 1 $MAYFLY log verify "$url/log/" --since newest
