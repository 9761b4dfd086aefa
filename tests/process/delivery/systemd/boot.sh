#!/bin/bash
# Boots a systemd in a container whose /usr is this machine's, with the unit installed, to run check.sh beside it. Everything
# else of the container is new and in memory.
# boot.sh PROGRAM RESULT: the program to serve with, and the folder for what check.sh says.
# boot.sh --try: only whether containers can be made here.
set -euo pipefail
here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
packaging="$here/../../../../packaging"
# shellcheck source=tests/process/delivery/systemd/container.sh
source "$here/container.sh"

trap remove_groups EXIT
make_groups
options=(--directory=/ --volatile=yes --private-network)
if [ "$1" = --try ]; then
  (contain 30 "${options[@]}" /bin/true)
else
  (contain 200 "${options[@]}" --bind-ro=/dev/null:/etc/systemd/system/systemd-networkd-wait-online.service \
    --tmpfs=/usr/local/bin --bind-ro="$1:/usr/local/bin/streamtally" \
    --bind-ro="$packaging/streamtally.service:/etc/systemd/system/streamtally.service" \
    --bind-ro="$packaging/streamtally.sysusers:/etc/sysusers.d/streamtally.conf" \
    --bind-ro="$here/environment:/etc/streamtally/environment" \
    --bind-ro=/etc/ssl/certs --bind-ro="$here/check.service:/etc/systemd/system/check.service" \
    --bind-ro="$here/check.sh:/check/check.sh" --bind="$2:/check/result" \
    --boot -- --unit=check.service)
fi
