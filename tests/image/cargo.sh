#!/bin/sh
# The cargo of rust.Dockerfile.
set -eu
fail() {
  echo "$*" >&2
  exit 1
}
[ "$*" = 'build --release --locked' ] || fail "This cargo does not know these arguments: $*"
[ "${SQLX_OFFLINE:-}" = true ] || fail "SQLX_OFFLINE is not true."
make --version >/dev/null || fail "There is no make."
for name in .cargo .sqlx Cargo.lock Cargo.toml build.rs crates/*/src/lib.rs migrations sqlx.toml src/main.rs; do
  [ -e "$name" ] || fail "The context of the build lacks $name."
done
mkdir -p target/release
cp /usr/local/lib/streamtally target/release/streamtally
