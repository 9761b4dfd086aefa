# shellcheck shell=bash
# Containers in which a systemd boots, on machines with systemd and without. To be sourced. Root only.

# Sets groups and register. Without a systemd to ask for a control group, one is made for the container's systemd. The caller
# removes it at its end, by remove_groups.
make_groups() {
  local group hierarchy
  register=()
  groups=()
  if [ -d /run/systemd/system ]; then return; fi
  register=(--keep-unit)
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    group="$hierarchy/streamtally-$$"
    if [ -w "$hierarchy/cgroup.procs" ] && mkdir "$group" 2>/dev/null; then groups+=("$group"); fi
  done
}

remove_groups() {
  local group deadline=$((SECONDS + 10))
  for group in "${groups[@]:-}"; do
    # Processes of a container that was killed take a moment to end.
    until [ ! -e "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; do
      sleep 0.1
    done
  done
  # What systemd-nspawn leaves on disk where /run is no file system of its own.
  rmdir "/run/systemd/nspawn/propagate/streamtally-$$" 2>/dev/null || true
}

# contain SECONDS OPTIONS…: becomes a container, in the groups, for that long at most. Call it in a subshell: the shell that
# removes the groups must not be in them.
contain() {
  local group
  for group in "${groups[@]:-}"; do [ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"; done
  # In the foreground, timeout passes on a signal once: the second one would kill the container.
  exec timeout --foreground --kill-after=60 "$1" systemd-nspawn --quiet --register=no "${register[@]}" --link-journal=no \
    --machine="streamtally-$$" --console=pipe "${@:2}" </dev/null
}
