# Drill library: what every drill stands on. Each drill brings up instances of its own on the loopback, in a folder of its own,
# lets something go wrong, and ends with 0 only when everything came out as docs/operations.md says; with 77 when this machine
# lacks what it needs. MAYFLY names the command; the clone's own unless given.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${MAYFLY:-}" ]; then
  root=$(cd "$here/../.." && pwd)
  if [ -f "$root/src/cli/main.ts" ]; then MAYFLY="$root/node_modules/.bin/node $root/src/cli/main.ts"; else MAYFLY=mayfly; fi
fi
work=$(mktemp -d)
pids=''

clean() {
  for pid in $pids; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  if command -v also_clean >/dev/null; then also_clean; fi
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

step() { echo "-- $*"; }
fail() {
  echo "FAILED: $*" >&2
  for log in "$work"/*.log; do echo "== $log" >&2; tail -n 8 "$log" >&2; done
  exit 1
}
lacking() { echo "skipped: this drill needs $*" >&2; exit 77; }
need() { command -v "$1" >/dev/null || lacking "$2"; }

# expect STATUS COMMAND...: runs it; its output is in $work/out.
expect() {
  wanted=$1; shift
  status=0
  "$@" > "$work/out" 2>&1 || status=$?
  [ "$status" = "$wanted" ] || { cat "$work/out" >&2; fail "exit code $status and not $wanted: $*"; }
}
said() { grep -Eq "$1" "$work/out" || { cat "$work/out" >&2; fail "nothing was said of: $1"; }; }

# until_ok SECONDS COMMAND...: again and again until it succeeds.
until_ok() {
  deadline=$(($(date +%s) + $1)); shift
  until "$@" > "$work/out" 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || { cat "$work/out" >&2; fail "never succeeded: $*"; }
    sleep 0.2
  done
}

# start NAME COMMAND...: in the background; its pid is in $pid, and what it says in $work/NAME.log.
start() {
  name=$1; shift
  : > "$work/$name.log"
  "$@" > "$work/$name.log" 2>&1 &
  pid=$!
  pids="$pids $pid"
}
# heard NAME PATTERN: waits until the process that was started last has said it.
heard() {
  deadline=$(($(date +%s) + 60))
  until grep -Eq "$2" "$work/$1.log"; do
    kill -0 "$pid" 2>/dev/null || fail "$1 ended"
    [ "$(date +%s)" -lt "$deadline" ] || fail "$1 never said: $2"
    sleep 0.1
  done
}
stop() { kill "$1"; wait "$1" 2>/dev/null || true; }

PORTS='--port 0 --grpc-port 0 --metrics-port 0'

# An OIDC issuer whose tokens anybody on this machine can have: $issuer.
issuer_up() {
  mkdir -p "$work/issuer"
  cd "$work/issuer"
  start issuer $MAYFLY dev --ephemeral $PORTS --issuer-port 0
  cd "$work"
  heard issuer 'tokens +http'
  issuer=$(sed -nE 's#.*tokens +(http://[0-9.:]+)/.*#\1#p' "$work/issuer.log")
}

# Two of its kinds as entries of a configuration.
issuers() {
  cat <<YAML
issuers:
  - { name: people, issuer-url: "$issuer/email", audiences: [sigstore], type: email }
  - { name: builds, issuer-url: "$issuer/github", audiences: [sigstore], type: github }
YAML
}

# serve_up NAME ARGUMENT...: an instance that is ready; its address is in $url.
serve_up() {
  instance=$1; shift
  start "$instance" $MAYFLY serve $PORTS "$@"
  heard "$instance" '"msg":"ready"'
  url=$(sed -nE 's/.*"url":"([^"]+)".*"msg":"ready".*/\1/p' "$work/$instance.log")
}

# sign NAME URL [KIND]: signs a new file of that name with a new token. verify NAME URL: looks at it again.
sign() {
  printf 'artifact %s' "$1" > "$work/$1"
  $MAYFLY dev token --issuer "$issuer" --shape "${3:-email}" > "$work/$1.token" || return 2
  $MAYFLY sign "$work/$1" --identity-token "$work/$1.token" --instance "$2"
}
verify() { $MAYFLY verify "$work/$1" --identity dev@example.com --issuer "$issuer/email" --instance "$2"; }

# answers STATUS URL: whether that is what the URL is answered with.
answers() {
  node=node
  case ${MAYFLY%% *} in */node) node=${MAYFLY%% *} ;; esac
  "$node" -e 'fetch(process.argv[2]).then((r) => { console.log(r.status); process.exit(String(r.status) === process.argv[1] ? 0 : 1) })' "$1" "$2"
}
