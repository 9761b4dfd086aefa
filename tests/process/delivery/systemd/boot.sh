#!/bin/bash
# Boots a systemd in a container whose /usr is this machine's, with the unit installed, to run check.sh beside it. Everything
# else of the container is new and in memory.
# boot.sh PROGRAM RESULT: the program to serve with, and the folder for what check.sh says.
# boot.sh --try: only whether containers can be made here.
set -euo pipefail
here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
packaging="$here/../../../../packaging"

register=()
if ! [ -d /run/systemd/system ]; then
  # No systemd here to ask for a control group: one is made, so that the container's systemd has one to itself.
  register=(--keep-unit)
  groups=()
  clean_up() {
    for group in "${groups[@]}"; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
    # What systemd-nspawn leaves on disk where /run is no file system of its own.
    rmdir "/run/systemd/nspawn/propagate/streamtally-$$" 2>/dev/null || true
  }
  trap clean_up EXIT
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    group="$hierarchy/streamtally-$$"
    if [ -w "$hierarchy/cgroup.procs" ] && mkdir "$group" 2>/dev/null; then groups+=("$group"); fi
  done
fi

# contain OPTIONS…: runs a container, in the groups, unlike this shell, which removes them.
contain() (
  for group in "${groups[@]:-}"; do [ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"; done
  exec systemd-nspawn --quiet --directory=/ --volatile=yes --register=no "${register[@]}" --private-network \
    --link-journal=no --machine="streamtally-$$" --console=pipe "$@" </dev/null
)

if [ "$1" = --try ]; then
  contain /bin/true
else
  contain --bind-ro=/dev/null:/etc/systemd/system/systemd-networkd-wait-online.service \
    --tmpfs=/usr/local/bin --bind-ro="$1:/usr/local/bin/streamtally" \
    --bind-ro="$packaging/streamtally.service:/etc/systemd/system/streamtally.service" \
    --bind-ro="$packaging/sysusers.conf:/etc/sysusers.d/streamtally.conf" \
    --bind-ro="$here/environment:/etc/streamtally/environment" \
    --bind-ro=/etc/ssl/certs --bind-ro="$here/check.service:/etc/systemd/system/check.service" \
    --bind-ro="$here/check.sh:/check/check.sh" --bind="$2:/check/result" \
    --boot -- --unit=check.service
fi
