#!/bin/bash
# The entrypoint of postgres.Dockerfile: does what that of the image postgres does, as far as docker-compose.yml relies on it.
set -euo pipefail
export POSTGRES_USER="${POSTGRES_USER:-postgres}"
if ! [ -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:?is not set}") \
    --auth-local=trust --auth-host=scram-sha-256 --no-sync
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  # Scripts run while the server listens on its socket only.
  pg_ctl --wait --timeout=60 --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    # shellcheck source=/dev/null
    if [ -x "$script" ]; then "$script"; elif [ -e "$script" ]; then . "$script"; fi
  done
  pg_ctl --wait --timeout=60 --mode=fast stop
fi
exec "$@" -c 'listen_addresses=*'
