# Daemons. Each has a file run/NAME with its pid, its start time and a fingerprint of how it was started. The start
# time tells a recycled pid from ours: nothing else is ever signalled.

# Field 22 of /proc/PID/stat; empty for a process that is gone or only waits to be reaped.
start_time_of() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} == Z ]] || echo "${stat[19]}"
}

# Prints the pid of a running daemon.
pid_of() {
  local pid started
  read -r pid started _ 2>/dev/null <"$STATE/run/$1" || return 1
  [[ $(start_time_of "$pid") == "$started" ]] && echo "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

daemons() { ls "$STATE/run" 2>/dev/null; }

# A daemon that was started in another way, or from a program that was built again since, is replaced.
fingerprint() {
  local word
  for word in "$@"; do
    [[ $word == *=* ]] || break
  done
  { printf '%s\0' "$@" && stat -c '%s %Y' "$word"; } | sha256sum | cut -c 1-16
}

# daemon NAME [VARIABLE=value…] COMMAND [ARGUMENT…]
daemon() {
  local name=$1 record=$STATE/run/$1 mark started pid
  shift
  mark=$(fingerprint "$@")
  if is_running "$name"; then
    read -r _ _ started <"$record"
    [[ $started != "$mark" ]] || return 0
    stop "$name"
  fi
  rm -f "$record"
  (
    close_inherited_files
    cd "$STATE" || exit
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    # Written before the program starts: an interrupted ./dev leaves no process that it cannot find again.
    pid=$BASHPID
    echo "$pid $(start_time_of "$pid") $mark" >"$record"
    exec setsid "${AS_USER[@]}" "$@"
  ) </dev/null >>"$STATE/logs/$name.log" 2>&1 &
  pid=$!
  while [[ ! -s $record ]] && kill -0 "$pid" 2>/dev/null; do
    sleep 0.01
  done
  disown "$pid" 2>/dev/null || true # it is not ours to wait for, or to end with us
}

# A daemon must hold neither our locks nor a pipe whose reader waits for its end.
close_inherited_files() {
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    ((fd <= 2)) || exec {fd}>&-
  done
}

# await NAME SECONDS COMMAND…: until the command succeeds; explains itself when that does not happen.
await() {
  local name=$1 deadline=$((SECONDS + $2)) problem=
  shift 2
  until "$@" &>/dev/null; do
    is_running "$name" || problem="stopped while it was starting"
    ((SECONDS < deadline)) || problem="is not ready"
    if [[ -n $problem ]]; then
      complain "$name of instance $INSTANCE $problem. The end of its log, $STATE/logs/$name.log:"
      tail -n 20 "$STATE/logs/$name.log" | sed 's/^/  | /' >&2
      die "after the cause is mended, run the same command again: it continues where this one ended"
    fi
    sleep 0.1
  done
}

stop_signal_of() {
  case $1 in
    postgres) echo INT ;; # its fast shutdown: clients are cut off, everything is on disk
    *) echo TERM ;;
  esac
}

# Ends the named daemons together; those that do not go within 30 seconds are killed.
stop() {
  local name pid deadline=$((SECONDS + 30))
  for name in "$@"; do
    ! pid=$(pid_of "$name") || kill -s "$(stop_signal_of "$name")" "$pid" 2>/dev/null || true
  done
  for name in "$@"; do
    while pid=$(pid_of "$name"); do
      ((SECONDS < deadline)) || kill -s KILL -- "-$pid" 2>/dev/null || true
      sleep 0.05
    done
    rm -f "$STATE/run/$name"
  done
}
