#!/usr/bin/env bash
# build.sh ENGINE PROGRAM: builds the image with the program, then runs check.sh. ENGINE is the folder of the engine.
# scripts/check-image starts it, in namespaces of its own for processes and mounts.
set -euo pipefail
# shellcheck source=tests/image/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
engine="$1"
program="$2"

for folder in "$run" /run/containers /run/netns /run/runc /dev/shm; do
  mkdir -p "$folder"
  mount -t tmpfs tmpfs "$folder"
done

export CONTAINERS_CONF="$engine/containers.conf" CONTAINERS_STORAGE_CONF="$engine/storage.conf"
export CONTAINERS_REGISTRIES_CONF="$engine/registries.conf" TMPDIR="$engine/tmp"
# The checks themselves run health checks, so that this works without systemd, too.
export DISABLE_HC_SYSTEMD=true
export PATH="$here/bin:$engine/bin:$PATH"
rm -rf "$TMPDIR"
mkdir "$TMPDIR"
cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=$(ulimit -Hu):$(ulimit -Hu)"]
http_proxy = false
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$run/libpod"
image_copy_tmp_dir = "$TMPDIR"
[network]
network_backend = "netavark"
network_config_dir = "$engine/networks"
END
cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "overlay"
runroot = "$run/storage"
graphroot = "$engine/storage"
END
echo 'unqualified-search-registries = ["docker.io"]' >"$CONTAINERS_REGISTRIES_CONF"

echo "--> engine"
# A container with a network and a port, of a program that needs no library.
try() {
  tar --create --directory="$(dirname -- "$(command -v catatonit)")" catatonit | podman import --quiet - localhost/trial &&
    unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
      podman run --rm --publish 127.0.0.1:8080:8080 localhost/trial /catatonit --version
}
if ! words="$(timeout 60 bash -euo pipefail -c "$(declare -f try); try" 2>&1)"; then
  say "left out: no containers can be run here: $(tail -n 1 <<<"$words")"
  exit 0
fi
# What an interrupted check left in the storage.
for id in $(podman ps --all --external --quiet); do podman rm --force "$id" >/dev/null; done
podman volume prune --force >/dev/null
rm -rf "$engine/networks"
# Compose does not build an image that exists, and its layers are a cache.
for image in $(podman images --quiet --filter reference=docker.io/library/streamtally-streamtally); do podman untag "$image"; done

echo "--> stand-ins for the base images"
base="$(find_image Dockerfile 'FROM \(debian:.*\)')"
make_debian
if ! [ "$engine/imported" -nt "$debian" ] || ! podman image exists "$base"; then
  podman import --quiet "$debian" "$base" >/dev/null
  touch "$engine/imported"
fi
words="$(timeout 60 podman run --rm --network none --volume "$program:/streamtally:ro" "$base" /streamtally --version 2>&1)" ||
  case "$words" in
    *GLIBC_*)
      say "left out: the program needs a newer C library than the image has: $(tail -n 1 <<<"$words")"
      exit 0
      ;;
    *) die "The program does not run in $base: $words" ;;
  esac
mkdir -p "$engine/rust"
cp "$here/cargo.sh" "$engine/rust/cargo.sh"
# Symbols would make the image large.
strip --strip-debug -o "$engine/rust/streamtally" "$program"
# build_image TAG FILE FOLDER
build_image() {
  local words
  words="$(timeout 300 podman build --network host --build-arg "base=$base" --tag "$1" --file "$2" "$3" 2>&1)" ||
    die "The stand-in for $1 cannot be built: $(tail -n 20 <<<"$words")"
}
# In the background: most of the time is spent on downloads.
build_image "$(find_image docker-compose.yml 'image: \(postgres:.*\)')" "$here/postgres.Dockerfile" "$here" &
postgres=$!
build_image "$(find_image Dockerfile 'FROM \(rust:.*\) AS builder')" "$here/rust.Dockerfile" "$engine/rust"

echo "--> docker build"
# A copy of the sources, because the commands of the chapter write files.
copy_image_sources "$engine/project"
cp -Rp .dockerignore Dockerfile docker-compose.yml packaging monitoring "$engine/project"
cd "$engine/project"
type_in "The image" 1
wait "$postgres"

exec unshare --net "$here/check.sh" "$engine"
