# shellcheck shell=bash
# What build.sh and check.sh share, to be sourced. The first argument of both is the folder of the engine.

here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=scripts/lib.sh
source "$here/../../scripts/lib.sh"
# The folder of what an engine keeps until the machine restarts: here, until its namespaces end. A short path, for sockets.
# shellcheck disable=SC2034 # for the scripts that source this
run=/run/streamtally-engine
# shellcheck disable=SC2034
log="$1/log"
chapter="$project/docs/packaging.md"

# find_image FILE PATTERN: prints the name of an image that a file of the project uses.
find_image() {
  local name
  name="$(sed -n "s/^ *$2\$/\\1/p" "$project/$1")"
  [ -n "$name" ] || die "$1 names no image as expected: $2"
  printf 'docker.io/library/%s\n' "$name"
}

# commands_of HEADING NUMBER: prints a block of commands of the chapter, counted from its heading.
commands_of() {
  local commands
  commands="$(awk -v heading="## $1" -v number="$2" '
    /^## / { below = $0 == heading }
    /^```/ { inside = $0 == "```sh"; if (below && inside) block++; next }
    below && inside && block == number' "$chapter")"
  [ -n "$commands" ] || die "$chapter has no block $2 of commands below \"$1\"."
  printf '%s\n' "$commands"
}

# type_in HEADING NUMBER: runs a block of commands of the chapter, as a reader does who stops at what fails. What they print is
# in the file log.
type_in() {
  local commands
  commands="$(commands_of "$1" "$2")"
  timeout 180 bash -euo pipefail -c "$commands" >"$log" 2>&1 </dev/null ||
    die "These commands of $chapter failed:" "$commands" "$(tail -n 40 "$log")"
}
