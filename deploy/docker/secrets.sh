#!/bin/sh
# Makes the secrets that compose.yaml names, once: ./secrets.sh [FOLDER]. What is there stays as it is.
set -eu
folder=${1:-$(dirname "$0")/secrets}
[ ! -e "$folder/redis.acl" ] || { echo "$folder has secrets already"; exit 0; }
umask 077
mkdir -p "$folder"
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
random > "$folder/redis.password"
random > "$folder/s3.access"
random > "$folder/s3.secret"
# One user, who may do what the limiter does and nothing else (docs/security.md).
cat > "$folder/redis.acl" <<ACL
user default off
user mayfly on >$(cat "$folder/redis.password") ~mayfly:* -@all +eval +evalsha +time +mget +set +del +hello +info
ACL
printf 'ROOT_ACCESS_KEY=%s\nROOT_SECRET_KEY=%s\n' "$(cat "$folder/s3.access")" "$(cat "$folder/s3.secret")" > "$folder/s3.env"
# Containers read them under users of their own; the folder keeps everyone else on this machine out.
chmod 0444 "$folder"/redis.* "$folder"/s3.access "$folder"/s3.secret
echo "made $folder"
