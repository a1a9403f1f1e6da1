#!/bin/sh
# The log role is down: no replica issues what is not logged. When it is back they go on, and every certificate is in the log.
. "$(dirname "$0")/lib.sh"
issuer_up

step 'a CA, a log for it, and a replica that issues into that log'
serve_up maker --data ca --log none
stop "$pid"
printf 'a-token-for-the-log\n' > token
serve_up log --role log --data log --log-roots ca/ca/root.pem --log-bearer-file token
log=$url
log_pid=$pid
log_port=${log##*:}
$MAYFLY log key --data log > log.pem
issuers > mayfly.yaml
serve_up replica --role ca --config mayfly.yaml --data ca --log "$log/log/" --log-public-key log.pem --log-bearer-file token
expect 0 sign a "$url"
expect 0 verify a "$url"
until_ok 10 $MAYFLY log verify "$log" --key log.pem --save checkpoint

step 'the log is killed: the replica refuses'
kill -9 "$log_pid"
wait "$log_pid" 2>/dev/null || true
expect 2 sign b "$url"
said LOG_UNAVAILABLE

step 'the log is back under its address: the replica goes on, and the log has forgotten nothing'
start back $MAYFLY serve --port "$log_port" --grpc-port 0 --metrics-port 0 --role log --data log \
  --log-roots ca/ca/root.pem --log-bearer-file token
heard back '"msg":"ready"'
until_ok 60 sign c "$url"
expect 0 verify a "$url"
expect 0 verify c "$url"
until_ok 10 $MAYFLY log verify "$log" --key log.pem --since checkpoint
stop "$pid"
expect 0 $MAYFLY log fsck --data log
