#!/bin/bash
# Runs in the container, as root, once systemd has started the service or given up: has it work as an operator would, and says
# what was seen. Ends with "passed", or at the first thing that is not right.
set -euo pipefail
trap 'echo "failed in line $LINENO"; systemctl status --no-pager --full streamtally || true; journalctl --no-pager --lines=50 || true' ERR
set -a
# shellcheck source=tests/process/delivery/systemd/environment
. /etc/streamtally/environment
set +a
export STREAMTALLY_URL="http://$STREAMTALLY_LISTEN"

show() { systemctl show --value --property="$1" streamtally; }
server() { head -n 1 /var/lib/streamtally/postgres/postmaster.pid; }

echo "== started"
[ "$(show ActiveState)" = active ]
streamtally health
[ "$(stat --format=%U:%a /var/lib/streamtally)" = streamtally:700 ]
[ "$(stat --format=%U "/proc/$(server)")" = streamtally ]

if journalctl --unit=streamtally | grep --fixed-strings --file=/var/lib/streamtally/admin-token; then false; fi

echo "== under restrictions"
# No more than the machine lets the container have.
files="$(sed -n 's/^Max open files  *[0-9]*  *\([0-9]*\) .*/\1/p' /proc/1/limits)"
[ "$files" -lt 65536 ] || files=65536
for process in "$(show MainPID)" "$(server)"; do
  grep -Eq '^CapBnd:\s+0+$' "/proc/$process/status"
  grep -Eq '^NoNewPrivs:\s+1$' "/proc/$process/status"
  grep -Eq '^Seccomp:\s+2$' "/proc/$process/status"
  grep -Eq "^Max open files +$files +$files " "/proc/$process/limits"
  grep -Eq '^Max core file size +0 +0 ' "/proc/$process/limits"
done
inside() { nsenter --target "$(show MainPID)" --mount -- "$@"; }
inside touch /var/lib/streamtally/probe && rm /var/lib/streamtally/probe
for closed in /usr /etc /var/lib /check/result; do
  if inside touch "$closed/probe" 2>/dev/null; then echo "$closed can be written"; false; fi
done

echo "== works"
streamtally domain add push.example.com
streamtally send start --domain push.example.com --stream room1 --wait
streamtally send end --domain push.example.com --stream room1 --wait
STREAMTALLY_TOKEN="$(cat /var/lib/streamtally/admin-token)" streamtally report push-duration \
  --from 2020-01-01 --to "$(date --utc +%F -d tomorrow)" --time-zone UTC

echo "== the private PostgreSQL is killed, and started again"
before="$(server)"
kill -KILL "$before"
until [ "$(server 2>/dev/null)" != "$before" ] && streamtally health; do sleep 0.1; done

echo "== restarted"
systemctl restart streamtally
streamtally health
streamtally domain list
[ "$(show NRestarts)" = 0 ]

echo "== killed, and started again by systemd"
systemctl kill --kill-whom=main --signal=KILL streamtally
until [ "$(show NRestarts)" = 1 ] && [ "$(show ActiveState)" = active ]; do sleep 0.1; done
streamtally health

echo "== stopped"
systemctl stop streamtally
[ "$(show ActiveState):$(show Result):$(show ExecMainStatus)" = inactive:success:0 ]
if [ -e /var/lib/streamtally/postgres/postmaster.pid ]; then false; fi
echo passed
