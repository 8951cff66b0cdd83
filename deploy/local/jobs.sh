# Work that ./dev itself waits for: long steps, and steps side by side. (What outlives it is a daemon, process.sh.)

# Each job gets a process group, so that ending it ends what it has started.
background() {
  set -m
  { set +m && "$@"; } &
  set +m
}

end_jobs() {
  local job
  for job in $(jobs -p); do
    kill -s TERM -- "-$job" 2>/dev/null || true
  done
}

# Runs a long command with its output in a log, says now and then how far it has come, and returns its status.
# step TITLE LOG COMMAND…
step() {
  local title=$1 log=$2 pid
  shift 2
  say "$(elapsed) $title"
  background "$@" </dev/null >"$log" 2>&1
  pid=$!
  follow "$log" kill -0 "$pid" 2>/dev/null
  wait "$pid"
}

# follow LOG COMMAND…: says now and then how far the log has come, as long as the command succeeds.
follow() {
  local log=$1 next=$((SECONDS + 15))
  shift
  while "$@"; do
    sleep 0.2
    ((SECONDS < next)) && continue
    next=$((SECONDS + 15))
    say "$(elapsed)   $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-100)"
  done
}
