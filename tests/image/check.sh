#!/usr/bin/env bash
# check.sh ENGINE: runs the image that build.sh has built. build.sh starts it in a network namespace of its own, and in the copy
# of the project.
set -euo pipefail
# shellcheck source=tests/image/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
engine="$1"

report() {
  local status=$?
  if [ "$status" != 0 ]; then
    for id in $(podman ps --all --quiet); do
      say "The log of $(podman inspect --format '{{.Name}}: {{.State.Status}}, exit code {{.State.ExitCode}}' "$id"):"
      podman logs --tail 20 "$id" >&2 || true
    done
  fi
  exit "$status"
}
trap report EXIT

# wait_until SECONDS WHAT COMMAND…
wait_until() {
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@" >"$log" 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || die "It took too long until $what: $(tail -n 5 "$log")"
    sleep 0.2
  done
}

# expect TEXT COMMAND…: the command succeeds, and prints this among others. Prints what it prints.
expect() {
  local text="$1" words
  shift
  words="$("$@" 2>&1)" || die "This failed: $*" "$words"
  grep -q -F -e "$text" <<<"$words" || die "This does not print \"$text\": $*" "$words"
  printf '%s\n' "$words"
}

# get PATH: what the service's API answers.
get() { curl --silent --show-error --fail --max-time 10 --header "Authorization: Bearer $token" "http://127.0.0.1:8080$1"; }

has_session() { get "/v1/sessions?stream=$1" | jq --exit-status '.data | length == 1'; }

# Without systemd, nothing runs the health checks of containers.
check_health() { podman healthcheck run "$1" >/dev/null 2>&1 || true; }
is_healthy() {
  check_health streamtally
  [ "$(podman inspect --format '{{.State.Health.Status}}' streamtally)" = healthy ]
}
# Asks the service, unlike the status, which ignores failures during the start period.
is_ready() { podman healthcheck run streamtally; }
is_not_ready() { ! podman healthcheck run streamtally; }
listens() { curl --silent --show-error --fail --max-time 5 --output /dev/null http://127.0.0.1:8080/healthz; }
keep_checking_health() {
  while true; do
    for id in $(podman ps --quiet 2>/dev/null); do check_health "$id"; done
    sleep 0.5
  done
}

ip link set lo up
export DOCKER_HOST="unix://$run/podman.sock" DOCKER_CONFIG="$engine/docker"
mkdir -p "$DOCKER_CONFIG"
echo '{}' >"$DOCKER_CONFIG/config.json"
# Podman builds without it.
export DOCKER_BUILDKIT=0
podman system service --time=0 "$DOCKER_HOST" >"$engine/service.log" 2>&1 &
service=$!
wait_until 60 "Podman's service listens" test -S "$run/podman.sock"

echo "--> docker run, health, a domain, a callback"
address=10.88.0.250
password="$(openssl rand -hex 24)"
# The same hardware address after a restart: otherwise the service's container sends to the old one for up to half a minute.
docker run --detach --name database --ip "$address" --mac-address 92:d0:c6:00:00:fa --user 999:999 --cap-drop ALL --read-only \
  --tmpfs /tmp --tmpfs /var/run/postgresql --env POSTGRES_PASSWORD="$password" --volume database:/var/lib/postgresql/data \
  --volume "$project/packaging/create-role.sh:/docker-entrypoint-initdb.d/create-role.sh:ro" \
  "$(find_image docker-compose.yml 'image: \(postgres:.*\)')" >"$log"
is_database_ready() { podman exec database pg_isready --host=127.0.0.1 --username=streamtally --dbname=streamtally; }
wait_until 60 "the database is ready" is_database_ready
echo "DATABASE_URL=postgres://streamtally:$password@$address:5432/streamtally" >environment
type_in "The image" 2
wait_until 60 "the container is healthy" is_healthy
status="$(podman exec streamtally cat /proc/1/status | tr '\t' ' ')"
for line in 'Uid: 10001 10001 10001 10001' 'Gid: 10001 10001 10001 10001' 'CapEff: 0000000000000000' \
  'CapBnd: 0000000000000000' 'NoNewPrivs: 1'; do
  grep -q -x -F -e "$line" <<<"$status" || die "The process in the container does not have \"$line\": $status"
done
podman exec streamtally cat /proc/1/mountinfo | awk '$5 == "/" { ok = $6 ~ /^ro/ } END { exit !ok }' ||
  die "The container can write to its root."
streamtally() { podman exec --interactive streamtally streamtally "$@"; }
key="$(expect 'push.example.com is registered.' streamtally domain add push.example.com </dev/null |
  sed -n 's/^Key to set at the provider.*: //p')"
expect '"status": "live"' streamtally send start --domain push.example.com --stream room1 --wait </dev/null >"$log"
type_in "The image" 3
token="$(cat "$log")"
has_session room1 >"$log"

echo "--> SIGTERM, restart"
begin="$(date +%s%3N)"
podman stop streamtally >"$log"
read -r code end <<<"$(podman inspect --format '{{.State.ExitCode}} {{.State.FinishedAt.UnixMilli}}' streamtally)"
[ "$code" = 0 ] || die "After SIGTERM it ended with $code."
[ $((end - begin)) -le 2000 ] || die "It ended $((end - begin)) ms after SIGTERM."
podman start streamtally >"$log"
wait_until 60 "the restarted service is ready" is_ready
has_session room1 >"$log"

echo "--> a callback while the database is away, a kill, the database back"
podman stop database >"$log"
expect '200 OK' streamtally send start --key-stdin --domain push.example.com --stream room2 <<<"$key" >"$log"
wait_until 60 "the health check fails" is_not_ready
podman kill --signal KILL streamtally >"$log"
podman start streamtally >"$log"
wait_until 60 "the service listens without the database" listens
expect '200 OK' streamtally send start --key-stdin --domain push.example.com --stream room3 <<<"$key" >"$log"
podman start database >"$log"
wait_until 60 "the service is ready with the database" is_ready
for stream in room2 room3; do wait_until 60 "there is a session of $stream" has_session "$stream"; done
podman rm --force --time 10 --volumes streamtally database >"$log"
podman volume rm --all --force >"$log"

# compose NUMBER: runs a block of commands of the chapter's section on Compose.
compose() { type_in "Docker Compose" "$1"; }
# down [--volumes]
down() { docker compose down "$@" >"$log" 2>&1 || die "$(cat "$log")"; }

echo "--> docker compose up, a domain, a callback"
keep_checking_health &
health=$!
compose 1
grep -q -F 'push.example.com is registered.' "$log" || die "No domain was registered: $(cat "$log")"
token="$(sed -n 's/^STREAMTALLY_ADMIN_TOKEN=//p' .env)"
send() { docker compose exec streamtally streamtally send start --domain push.example.com --wait --stream "$1" </dev/null; }
expect '"status": "live"' send room1 >"$log"

echo "--> docker compose down, upgrade"
down
compose 4
has_session room1 >"$log"

echo "--> backup, restore"
compose 2
down --volumes
rm .env
compose 3
grep -q -F 'every row matches the log' "$log" || die "The restored log was not verified: $(cat "$log")"
has_session room1 >"$log"
expect '"status": "live"' send room2 >"$log"

echo "--> nothing left"
kill "$health"
wait "$health" || true
down --volumes
[ -z "$(podman ps --all --quiet)" ] || die "These containers are left: $(podman ps --all)"
[ -z "$(podman volume ls --quiet)" ] || die "These volumes are left: $(podman volume ls)"
[ "$(podman network ls --quiet --filter driver=bridge | wc -l)" = 1 ] || die "These networks are left: $(podman network ls)"
podman image prune --force >"$log"
kill "$service"
wait "$service" || true
