# The Debian packages that Tidings needs, by what needs them, and their installation. The servers among them are wanted
# for their programs only: Debian's own copies must not start, now or at the next boot.

# The build stage of deploy/docker/Dockerfile reads this list as well.
readonly BUILD_PACKAGES=(
  g++ cmake ninja-build ccache mold pkg-config
  libpistache-dev libpq-dev librabbitmq-dev libhiredis-dev libboost1.81-dev libfmt-dev libspdlog-dev
  rapidjson-dev prometheus-cpp-dev catch2 libhowardhinnant-date-dev libcli11-dev libssl-dev
)

readonly RUN_PACKAGES=(postgresql-15 rabbitmq-server redis-server curl iproute2 procps tzdata)

# What only ./dev test and ./dev fuzz use.
readonly TEST_PACKAGES=(shellcheck clang-14 libclang-rt-14-dev docker-compose nginx pgbouncer openssl python3 faketime prometheus)

readonly PACKAGES=("${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}")

readonly SERVER_PACKAGES=(postgresql-15 rabbitmq-server redis-server nginx pgbouncer prometheus)

readonly START_POLICY=/usr/sbin/policy-rc.d

# missing_packages PACKAGE…
missing_packages() {
  local installed
  # shellcheck disable=SC2016 # the format is dpkg-query's
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    awk '$2 == "installed" { print $1 }' || true)
  printf '%s\n' "$@" | grep -vxF -f <(echo "$installed") || true
}

# install_packages [PACKAGE…]: what every command needs, and these.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "${PACKAGES[@]}" "$@")
  ((${#missing[@]} > 0)) || return 0
  if ((EUID == 0)); then
    apt_install "${missing[@]}"
  elif sudo -n true 2>/dev/null; then
    sudo -n "$ROOT/dev" packages "${missing[@]}"
  else
    complain "These Debian packages are missing, and installing them needs root:"
    complain "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    exit 1
  fi
}

# packages [PACKAGE…]: these, or all.
command_packages() {
  if (($# == 0)); then
    set -- "${TEST_PACKAGES[@]}"
  fi
  install_packages "$@"
}

# In a subshell, so that its EXIT trap undoes the policy however the installation ends.
apt_install() (
  local log
  log=$(mktemp)
  withhold_services
  trap 'end_jobs; release_services; rm -f "$log"' EXIT
  step "reading Debian's package lists" "$log" apt_get update || fail_apt "$log" "apt-get update failed"
  name_unavailable "$@"
  step "installing $# Debian packages: $*" "$log" apt_get install -y --no-install-recommends "$@" ||
    fail_apt "$log" "apt-get install failed"
  disable_services "$@"
)

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

fail_apt() {
  tail -n 30 "$1" >&2
  die "$2"
}

name_unavailable() {
  local package unavailable=()
  for package in "$@"; do
    [[ $(apt-cache policy "$package") == *'Candidate: '[^\(]* ]] || unavailable+=("$package")
  done
  ((${#unavailable[@]} == 0)) ||
    die "no package source of this machine offers: ${unavailable[*]} (Tidings is built on Debian 12, bookworm, main)"
}

# Package scripts ask this policy before they start or stop a service; 101 means no. One that is already there is put
# aside, also by a run that was cut off, and comes back.
withhold_services() {
  [[ ! -e $START_POLICY || -e $START_POLICY.tidings ]] || mv "$START_POLICY" "$START_POLICY.tidings"
  printf '#!/bin/sh\n# Made by Tidings while it installs packages.\nexit 101\n' >"$START_POLICY"
  chmod 755 "$START_POLICY"
}

release_services() {
  rm -f "$START_POLICY"
  [[ ! -e $START_POLICY.tidings ]] || mv "$START_POLICY.tidings" "$START_POLICY"
}

disable_services() {
  local package unit
  [[ -d /run/systemd/system ]] || return 0
  for package in "${SERVER_PACKAGES[@]}"; do
    unit=${package%-15}
    [[ " $* " != *" $package "* ]] || systemctl disable --quiet "$unit"
  done
}
