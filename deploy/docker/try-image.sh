#!/bin/sh
# Builds the image and tries it as compose.yaml runs it: nobody's user, a root nobody writes to, no capability, no network. It issues,
# answers its health check, and stops when it is told to. From anywhere:
#   deploy/docker/try-image.sh                    with docker
#   ENGINE=podman deploy/docker/try-image.sh      with another command that takes the same words
# BUILD_IMAGE and FINAL_IMAGE replace the base images of the Dockerfile; RUN_FLAGS are further words for `run`.
set -eu
engine=${ENGINE:-docker}
root=$(cd "$(dirname "$0")/../.." && pwd)
image=mayfly-trial
fail() { echo "FAILED: $*" >&2; exit 1; }

# Podman ignores the file's own list of what is let in unless it is named.
ignore=''
case ${engine%% *} in *podman) ignore="--ignorefile $root/deploy/docker/Dockerfile.dockerignore" ;; esac
# shellcheck disable=SC2086 # these are words
$engine build ${BUILD_IMAGE:+--build-arg BUILD_IMAGE=$BUILD_IMAGE} ${FINAL_IMAGE:+--build-arg FINAL_IMAGE=$FINAL_IMAGE} \
  $ignore ${BUILD_FLAGS:-} -f "$root/deploy/docker/Dockerfile" -t "$image" "$root" > /dev/null
hardened="--read-only --cap-drop ALL --security-opt no-new-privileges --network none --memory 1g --pids-limit 128 ${RUN_FLAGS:-}"

echo '-- one whole issuance'
# shellcheck disable=SC2086
$engine run --rm $hardened "$image" demo | tail -n 1

echo '-- an instance'
# shellcheck disable=SC2086
container=$($engine run --detach $hardened "$image")
trap '$engine rm --force --volumes "$container" > /dev/null' EXIT
inside() { $engine exec "$container" /usr/local/bin/node "$@"; }
left=60
until inside /app/deploy/docker/healthcheck.mjs; do
  left=$((left - 1))
  [ "$left" -gt 0 ] || { $engine logs "$container"; fail 'it does not become healthy'; }
  sleep 0.5
done
[ "$(inside --print 'process.getuid()')" = 65532 ] || fail 'it runs as somebody else'
[ "$(inside --print 'fs.statSync("/var/lib/mayfly").mode & 0o777')" = 448 ] || fail 'its folder is open to others'
for place in /app /etc /usr/local/bin /var/lib; do
  ! inside --eval "fs.writeFileSync('$place/x', '')" 2> /dev/null || fail "$place can be written to"
done
! $engine exec "$container" sh -c true 2> /dev/null || fail 'there is a shell in it'
$engine stop -t 30 "$container" > /dev/null
[ "$($engine inspect --format '{{.State.ExitCode}}' "$container")" = 0 ] || { $engine logs "$container"; fail 'it did not stop well'; }
echo 'as it should be'
