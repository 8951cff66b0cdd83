# What ./dev tells the person at the terminal: progress on stdout, complaints on stderr.

say() { printf '%s\n' "$*"; }

complain() { printf '%s\n' "$*" >&2; }

die() {
  complain "dev: $*"
  exit 1
}

elapsed() { printf '[%02d:%02d]' $((SECONDS / 60)) $((SECONDS % 60)); }

# Runs a long command with its output in a log, says now and then how far it has come, and returns its status.
# step TITLE LOG COMMAND…
step() {
  local title=$1 log=$2 pid next=$((SECONDS + 15))
  shift 2
  say "$(elapsed) $title"
  "$@" </dev/null >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ((SECONDS < next)) && continue
    next=$((SECONDS + 15))
    say "$(elapsed)   $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-100)"
  done
  wait "$pid"
}
