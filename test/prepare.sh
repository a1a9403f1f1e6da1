#!/bin/sh
# Installs what the tests need beyond npm, where that can be done without asking: on Debian, as root.
# Elsewhere, and where an installation fails, the tests concerned skip loudly with the line that installs it.
set -u
missing=''
command -v openssl >/dev/null || missing="$missing openssl"
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v softhsm2-util >/dev/null || missing="$missing softhsm2"
command -v faketime >/dev/null || missing="$missing faketime"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v systemd-nspawn >/dev/null || missing="$missing systemd-container"
python3 -m ensurepip --version >/dev/null 2>&1 || missing="$missing python3-venv"
promtool=''
command -v promtool >/dev/null || promtool=' prometheus'
[ -n "$missing$promtool" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing$missing$promtool"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  if [ -n "$promtool" ]; then # the program alone, as the package would start a Prometheus
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && install usr/bin/promtool /usr/local/bin/) 2>/dev/null && promtool=''
    rm -rf "$folder"
  fi
  [ -z "$missing" ] || { apt-get install -y -qq --no-install-recommends $missing >/dev/null && missing=''; }
  [ -n "$missing$promtool" ] || exit 0
fi
echo "the tests that need$missing$promtool will be skipped; install with: apt-get install -y$missing$promtool"
