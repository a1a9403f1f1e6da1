#!/bin/sh
# Backs up a data folder, keys and log, into a tar file for its owner's eyes alone: backup.sh DATA FILE
# The instance may be running: what the log last promised is read before anything else, so that the rest is never older than it.
# The index of the log is left out: it is written meanwhile, and made again from the tiles.
set -eu
[ $# = 2 ] || { echo "usage: $0 DATA FILE" >&2; exit 2; }
[ -f "$1/instance.json" ] || { echo "$0: $1 is no data folder of Mayfly" >&2; exit 1; }
[ ! -e "$2" ] || { echo "$0: $2 is there already" >&2; exit 1; }
umask 077
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
copy="$staged/data"
mkdir "$copy"
(cd "$1" && find . -path '*/tree/published' -o -name generations.json -o -name instance.json | tar -cf - -T -) | tar -xf - -C "$copy"
# Segments that go away meanwhile are in full tiles by then, so the tiles come last.
(cd "$1" && find . -type f ! -path '*/tree/*' ! -name generations.json ! -name instance.json ! -path './.new-*' | tar -cf - -T -) \
  | tar -xf - -C "$copy"
(cd "$1" && find . -type f -path '*/tree/*' ! -path '*/tree/public/*' ! -name published ! -name 'lock*' ! -name 'leaf-index*' | tar --ignore-failed-read -cf - -T -) \
  | tar -xf - -C "$copy"
(cd "$1" && find . -type f -path '*/tree/public/*' | tar --ignore-failed-read -cf - -T -) | tar -xf - -C "$copy"
tar -cf "$2.new" -C "$copy" .
sync "$2.new"
mv "$2.new" "$2"
echo "$2: $(tar -tf "$2" | grep -c -v '/$') files of $1, keys included: keep it as safe as the keys"
