#!/bin/sh
# Systemd trial: run by a systemd that was booted for it, with Mayfly installed as the unit says (systemd-boot.test.ts). Prints what it
# saw, and ends with 0 when all of it is as docs/operations.md has it.
set -eu
step() { echo "-- $*"; }
fail() { echo "FAILED: $*"; systemctl status --no-pager --full mayfly || true; exit 1; }
until_ok() {
  deadline=$(($(date +%s) + $1)); shift
  until "$@" > /trial/out 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || { cat /trial/out; fail "never succeeded: $*"; }
    sleep 0.2
  done
}
property() { systemctl show --value --property "$1" mayfly; }
said() { journalctl --sync; journalctl --unit mayfly --output cat | grep -Eq "$1"; }
mayfly() { /usr/bin/node /opt/mayfly/lib/node_modules/mayfly/deploy/npm/mayfly.mjs "$@"; }

step 'an issuer to trust, first: an instance that finds it away waits before it asks again'
systemd-run --quiet --unit issuer --property DynamicUser=yes --property StateDirectory=issuer \
  --property WorkingDirectory=/var/lib/issuer /usr/bin/node /opt/mayfly/lib/node_modules/mayfly/deploy/npm/mayfly.mjs dev --ephemeral \
  --port 6555 --grpc-port 0 --metrics-port 0 --issuer-port 5556
cd /trial
until_ok 30 mayfly dev token --shape email

step 'a user for it, and the unit starts at the boot from now on'
systemd-sysusers
systemctl enable --now mayfly
until_ok 30 said '"msg":"ready"'

step 'it issues'
echo signed > file
mayfly sign file --instance http://127.0.0.1:5555
mayfly verify file --identity dev@example.com --issuer http://127.0.0.1:5556/email --instance http://127.0.0.1:5555

step 'with no privilege, and nothing to write to but its own folder'
pid=$(property MainPID)
grep -E '^(Uid|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' "/proc/$pid/status"
grep -q '^CapBnd:[[:space:]]*0*$' "/proc/$pid/status" || fail 'it could have capabilities'
grep -q '^Seccomp:[[:space:]]*2$' "/proc/$pid/status" || fail 'every system call is open to it'
inside() { nsenter --target "$pid" --mount --setuid "$(id -u mayfly)" --setgid "$(id -g mayfly)" "$@"; }
for place in /etc/mayfly /usr /opt/mayfly /var/log /sys/fs; do
  ! nsenter --target "$pid" --mount touch "$place/x" 2>/dev/null || fail "$place can be written to"
done
inside touch /var/lib/mayfly/x || fail 'its own folder cannot be written to'
rm /var/lib/mayfly/x
[ "$(stat -c '%a %U' /var/lib/mayfly)" = '700 mayfly' ] || fail 'others read its folder'
[ -z "$(inside find /home /root -mindepth 1 2>/dev/null)" ] || fail 'it sees people at home'
[ "$(inside find /dev -maxdepth 1 -type b | wc -l)" = 0 ] || fail 'it sees disks'

step 'systemctl reload reads the configuration again'
systemctl reload mayfly
until_ok 20 said '"cause":"signal"'
sed -i 's/name: people/name: persons/' /etc/mayfly/mayfly.yaml
until_ok 20 said '"cause":"(file|watch)[^}]*in force'
runuser -u mayfly -- /usr/bin/node /opt/mayfly/lib/node_modules/mayfly/deploy/npm/mayfly.mjs issuer freeze persons \
  --config /etc/mayfly/mayfly.yaml --data /var/lib/mayfly --reason trial
refused() { ! mayfly sign file --instance http://127.0.0.1:5555; }
until_ok 20 refused
runuser -u mayfly -- /usr/bin/node /opt/mayfly/lib/node_modules/mayfly/deploy/npm/mayfly.mjs issuer unfreeze persons \
  --config /etc/mayfly/mayfly.yaml --data /var/lib/mayfly

step 'killed, it comes back, with the same keys and log'
kill -9 "$pid"
until_ok 30 mayfly sign file --instance http://127.0.0.1:5555
[ "$(property NRestarts)" = 1 ] || fail "$(property NRestarts) restarts"
[ "$(property MainPID)" != "$pid" ] || fail 'it was not killed'

step 'with a mistake in its configuration it goes on; started with it, it stays down and says why, until that is mended'
cp /etc/mayfly/mayfly.yaml /root/mayfly.yaml
pid=$(property MainPID)
printf 'isuers: []\n' >> /etc/mayfly/mayfly.yaml
until_ok 20 said 'the one before stays in force'
[ "$(property MainPID)" = "$pid" ] || fail 'a mistake ended it'
systemctl restart mayfly || true
is_down() { [ "$(property ActiveState) $(property ExecMainStatus)" = 'failed 78' ]; }
until_ok 30 is_down
said 'isuers' || fail 'it does not say what is wrong'
sleep 3 # three times the pause before it would be started again
is_down && [ "$(property NRestarts)" = 0 ] || fail "started again: $(property NRestarts) times"
cp /root/mayfly.yaml /etc/mayfly/mayfly.yaml
systemctl start mayfly
until_ok 30 mayfly sign file --instance http://127.0.0.1:5555

step 'a key service that is not there yet is waited for'
printf '[Service]\nExecStart=\nExecStart=/bin/sh -c "exit 1"\n' > /root/away.conf
mkdir -p /run/systemd/system/mayfly.service.d && cp /root/away.conf /run/systemd/system/mayfly.service.d/away.conf
systemctl daemon-reload
systemctl restart mayfly || true
again() { [ "$(property NRestarts)" -ge 6 ]; } # five are what systemd allows where nothing is said
until_ok 30 again
rm /run/systemd/system/mayfly.service.d/away.conf
systemctl daemon-reload
until_ok 30 mayfly sign file --instance http://127.0.0.1:5555

step 'a secret comes in as a credential'
mkdir -p /etc/systemd/system/mayfly.service.d
printf 'a passphrase for the keys' > /root/passphrase
printf '[Service]\nLoadCredential=passphrase:/root/passphrase\n' > /etc/systemd/system/mayfly.service.d/secret.conf
systemctl stop mayfly
rm -r /var/lib/mayfly/*
printf 'key-passphrase-file: /run/credentials/mayfly.service/passphrase\n' >> /etc/mayfly/mayfly.yaml
systemctl daemon-reload
systemctl start mayfly
until_ok 30 mayfly sign file --instance http://127.0.0.1:5555
grep -rq 'BEGIN ENCRYPTED PRIVATE KEY' /var/lib/mayfly || fail 'the keys are not encrypted'
! grep -rq 'BEGIN PRIVATE KEY' /var/lib/mayfly || fail 'a key lies there in clear'

step 'on a port below 1024, with the one capability for it'
printf '[Service]\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\nPrivateUsers=no\n' \
  > /etc/systemd/system/mayfly.service.d/port.conf
printf 'port: 443\n' >> /etc/mayfly/mayfly.yaml
systemctl daemon-reload
systemctl restart mayfly
until_ok 30 mayfly sign file --instance http://127.0.0.1:443
grep -q '^CapEff:[[:space:]]*0*400$' "/proc/$(property MainPID)/status" || fail 'it has more than the one capability'
rm /etc/systemd/system/mayfly.service.d/port.conf
systemctl daemon-reload

step 'it stops when it is told to'
systemctl stop mayfly
[ "$(property Result) $(property ExecMainStatus) $(property ActiveState)" = 'success 0 inactive' ] || fail "it ended with $(property Result)"

step 'what systemd says of what is left exposed'
systemd-analyze security --no-pager mayfly | tail -n 1
