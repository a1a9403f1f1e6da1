#!/bin/sh
# Makes what a release publishes, in an empty or new folder: deploy/npm/release.sh FOLDER
#   mayfly-VERSION.tgz       the npm package
#   mayfly-VERSION.cdx.json  what it is made of, as CycloneDX, and as SPDX: each package with version, licence and digest
#   mayfly-VERSION.spdx.json
#   SHA256SUMS
# docs/releasing.md has the steps around it.
set -eu
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ -z "$(ls -A "$out")" ] || { echo "$0: $1 is not empty" >&2; exit 1; }
cd "$(dirname "$0")/../.."

tarball=$(npm pack --silent --pack-destination "$out" | tail -n 1)
name=${tarball%.tgz}
# From the lock file, less what only builds and tests: that is taken away first, as --omit dev leaves out too much, what is used by
# both sides. npm takes the name from the folder.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/mayfly"
cp package.json package-lock.json "$work/mayfly"
cd "$work/mayfly"
npm pkg delete devDependencies
npm install --silent --package-lock-only --prefer-offline --ignore-scripts --no-audit
for format in cyclonedx:cdx spdx:spdx; do
  npm sbom --package-lock-only --sbom-type application --sbom-format "${format%:*}" > "$out/$name.${format#*:}.json"
done
cd "$out"
sha256sum "$tarball" "$name.cdx.json" "$name.spdx.json" > SHA256SUMS
ls
