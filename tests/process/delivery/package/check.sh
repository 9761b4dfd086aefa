#!/bin/bash
# Runs in the container, as root: installs, upgrades, removes and purges the package as an administrator would, works with the
# service in between, and reports what it sees. Ends with "passed", or at the first failure.
set -Eeuo pipefail
explain() {
  echo "failed in line $1"
  systemctl status --no-pager --full streamtally || true
  journalctl --no-pager --lines=50 || true
}
trap 'explain "$LINENO"' ERR
export DEBIAN_FRONTEND=noninteractive

step() { echo "== $1, after $SECONDS s"; }
show() { systemctl show --value --property="$1" streamtally; }
version() { dpkg-query --show --showformat='${Version}' streamtally; }
# The packages that it needs are in apt's cache; there is no network.
apt() { apt-get --quiet=2 --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@"; }
# The service runs, from the package, by its own first start.
healthy() {
  [ "$(show ActiveState):$(show NRestarts)" = active:0 ]
  [ "$(readlink "/proc/$(show MainPID)/exe")" = /usr/bin/streamtally ]
  streamtally health
}
# The domain's key is there, and can be decrypted.
works() {
  streamtally domain list | grep push.example.com
  streamtally send start --domain push.example.com --stream "$1" --wait | grep '"status": "live"'
}

step "install"
apt install /check/first/*.deb
healthy
[ "$(systemctl is-enabled streamtally)" = enabled ]
[ "$(stat --format=%U:%a /var/lib/streamtally)" = streamtally:700 ]
[ "$(stat --format=%U:%a /etc/streamtally/environment)" = root:600 ]
# Every setting in it is a comment.
if grep --invert-match -e '^#' -e '^$' /etc/streamtally/environment; then false; fi
dpkg --listfiles streamtally | grep /share/
for page in streamtally streamtally-domain-add; do zgrep --quiet '^\.TH' "/usr/share/man/man1/$page.1.gz"; done
bash -c '. /usr/share/bash-completion/completions/streamtally && complete -p streamtally'

step "work"
streamtally domain add push.example.com
works room1

step "change a setting"
echo 'STREAMTALLY_LISTEN="127.0.0.1:8181"' >>/etc/streamtally/environment
systemctl restart streamtally
export STREAMTALLY_LISTEN=127.0.0.1:8181 STREAMTALLY_URL=http://127.0.0.1:8181
healthy

step "upgrade"
before="$(version) $(show MainPID)"
apt install /check/second/*.deb
after="$(version) $(show MainPID)"
echo "$before -> $after"
dpkg --compare-versions "${after% *}" gt "${before% *}"
[ "${before#* }" != "${after#* }" ]
healthy
streamtally send end --domain push.example.com --stream room1 --wait | grep '"status": "ended"'

step "remove"
apt remove streamtally
[ "$(show ActiveState)" = inactive ]
[ ! -e /usr/bin/streamtally ]
[ ! -e /var/lib/streamtally/postgres/postmaster.pid ]
grep 8181 /etc/streamtally/environment

step "install again"
apt install /check/second/*.deb
healthy
works room2

step "purge"
apt purge streamtally
[ ! -e /etc/streamtally ]
[ ! -e /etc/systemd/system/multi-user.target.wants/streamtally.service ]
[ -e /var/lib/streamtally/postgres/PG_VERSION ]

step "install after a purge"
unset STREAMTALLY_LISTEN STREAMTALLY_URL
apt install /check/second/*.deb
healthy
works room3

step "purge with the data"
STREAMTALLY_PURGE_DATA=yes apt purge streamtally
[ ! -e /etc/streamtally ]
[ ! -e /var/lib/streamtally ]
step "done"
echo passed
