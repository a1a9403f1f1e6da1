#!/bin/sh
# Boots systemd over this machine's own files and lets it run a trial: boot.sh NODE TARBALL UNITS TRIAL. Needs root, Debian's
# systemd-container, and Node with npm. Nothing outside a file system in memory is written to; the machine booted has a loopback alone.
# Ends as the trial does.
set -eu
[ -n "${MAYFLY_BOOT:-}" ] || MAYFLY_BOOT=1 exec unshare --mount --propagation private "$0" "$@"
node=$1 tarball=$2 units=$3 trial=$4
work=$(mktemp -d)
mount -t tmpfs -o size=1g,mode=0755 none "$work"
mkdir "$work/written" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/written,workdir=$work/work" "$work/root"
root="$work/root"
rm -f "$root/usr/bin/node" && cp "$node" "$root/usr/bin/node"
rm -rf "$root/opt/mayfly" "$root/etc/mayfly" && mkdir -p "$root/trial" "$root/etc/mayfly"
PATH="$(dirname "$node"):$PATH" npm install --silent --global --prefix "$root/opt/mayfly" --omit=optional --prefer-offline "$tarball"
cat > "$root/etc/mayfly/mayfly.yaml" <<YAML
issuers:
  - { name: people, issuer-url: "http://127.0.0.1:5556/email", audiences: [sigstore], type: email }
YAML
install -m 0644 "$units/mayfly.sysusers.conf" "$root/usr/lib/sysusers.d/mayfly.conf"
install -m 0644 "$units/mayfly.service" "$root/etc/systemd/system/mayfly.service"
install -m 0755 "$trial" "$root/trial/run"
rm -f "$root/etc/machine-id" && : > "$root/etc/machine-id"
cat > "$root/etc/systemd/system/trial.service" <<UNIT
[Unit]
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/trial/run
StandardOutput=append:/trial/log
StandardError=append:/trial/log
TimeoutStartSec=150
UNIT
# Without what this machine starts at a boot.
status=0
systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe --directory="$root" --boot \
  systemd.unit=trial.service systemd.log_target=null > "$work/console" 2>&1 || status=$?
cat "$root/trial/log" 2>/dev/null || cat "$work/console"
exit "$status"
