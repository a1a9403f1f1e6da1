#!/bin/sh
# Puts back what backup.sh took, into a folder that is not there yet: restore.sh FILE DATA
# Then: mayfly log fsck --data DATA, and mayfly log verify URL --since with the newest checkpoint that somebody else kept.
set -eu
[ $# = 2 ] || { echo "usage: $0 FILE DATA" >&2; exit 2; }
[ ! -e "$2" ] || { echo "$0: $2 is there already: a restore goes over nothing" >&2; exit 1; }
umask 077
mkdir -p "$2.new"
tar -xf "$1" -C "$2.new"
[ -f "$2.new/instance.json" ] || { rm -rf "$2.new"; echo "$0: $1 is no back-up of a data folder" >&2; exit 1; }
mv "$2.new" "$2"
chmod 700 "$2"
echo "$2: $(find "$2" -type f | wc -l) files; look at it with mayfly log fsck --data $2 before it serves"
