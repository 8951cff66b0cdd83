# doctor: the machine, seen from here: what is missing, what runs, and what to do about it.

command_doctor() {
  local advice=() missing name
  (($# == 0)) || die "doctor takes no arguments"
  finding system "$(release PRETTY_NAME), $(uname -m), $(nproc) cores, $(memory_available) free"
  [[ $(release VERSION_ID) == 12 ]] ||
    advice+=("Tidings is built and tested on Debian 12; elsewhere packages may be missing or differ")

  mapfile -t missing < <(missing_packages "${PACKAGES[@]}")
  if ((${#missing[@]} == 0)); then
    finding packages "all ${#PACKAGES[@]} are there"
    finding versions "$(versions)"
  else
    finding packages "missing: ${missing[*]}"
    advice+=("./dev packages installs the missing packages$( ((EUID == 0)) || echo ' (with sudo, or it prints the command)')")
  fi
  mapfile -t missing < <(missing_packages "${TEST_PACKAGES[@]}")
  ((${#missing[@]} == 0)) || finding 'for tests' "missing, and installed by ./dev test: ${missing[*]}"

  find_states
  finding user "$(describe_user)"
  finding state "$STATES, $(df -h --output=avail "$ROOT" | tail -n 1 | tr -d ' ') of disk free"
  (($(df --output=avail "$ROOT" | tail -n 1) > 5000000)) || advice+=("make room on the disk: a build and a demo need about 5 GB")
  finding files "$(ulimit -Hn) may be open at once"
  (($(ulimit -Hn) >= 4096)) || advice+=("raise the limit of open files (ulimit -Hn) to 65536; RabbitMQ needs it")

  for name in $(instances); do
    (use_instance "$name" && finding "instance $name" "$(describe_instance)") || true
  done
  diagnose_instances

  say
  ((${#advice[@]} > 0)) || say "Nothing stands in the way. ./dev demo shows the whole system at work."
  for name in "${advice[@]}"; do
    say "-> $name"
  done
  ((${#advice[@]} == 0))
}

finding() { printf '%-18s %s\n' "$1" "$2"; }

# release VARIABLE: a line of /etc/os-release.
release() { sed -n "s/^$1=\"\?\([^\"]*\)\"\?$/\1/p" /etc/os-release; }

memory_available() { awk '/^MemAvailable/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo; }

versions() {
  dpkg-query -W -f '${Package} ${Version}, ' g++ cmake postgresql-15 rabbitmq-server redis-server tzdata |
    sed -E 's/, $//; s/[0-9]+://g'
}

describe_user() {
  if ((EUID != 0)); then
    echo "$(id -un); everything runs as you"
  elif id "$SYSTEM_USER" &>/dev/null; then
    echo "root; servers and services run as $SYSTEM_USER"
  else
    echo "root; servers and services will run as $SYSTEM_USER, which the first start makes"
  fi
}

describe_instance() {
  local name running=0 all=0
  for name in $(daemons); do
    all=$((all + 1))
    ! is_running "$name" || running=$((running + 1))
  done
  if ((all == 0)); then
    echo "stopped, $(du -sh "$STATE" | cut -f 1) on disk"
  else
    echo "$running of $all processes run, ports $(cut -d " " -f 2 "$STATE/ports" | sort -n | paste -sd " ")"
  fi
}

# Adds to the caller's `advice`.
diagnose_instances() {
  local name process
  for name in $(instances); do
    use_instance "$name"
    for process in $(daemons); do
      is_running "$process" && is_ready "$process" && continue
      advice+=("instance $name: $process is not well; $(dev_command) logs $process says why, $(dev_command) up repairs it")
    done
  done
}
