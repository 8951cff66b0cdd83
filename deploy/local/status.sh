# status and logs: what runs, and what it says.

command_status() {
  local name
  use_instance
  require_instance
  say "instance $INSTANCE, $STATE"
  printf '%-12s %7s %6s %10s %8s  %s\n' NAME PID PORT UPTIME MEMORY STATE
  for name in $(daemons); do
    describe "$name"
  done
  [[ -n $(daemons) ]] || say "nothing runs; $(dev_command) up starts it"
}

describe() {
  local name=$1 pid uptime='-' memory='-' port
  port=${PORT[$name]:-${PORT[$name.ops]:-}}
  if pid=$(pid_of "$name"); then
    read -r uptime memory < <(ps -o etime=,rss= -p "$pid")
    memory=$((memory / 1024))MiB
  fi
  printf '%-12s %7s %6s %10s %8s  %s\n' "$name" "${pid:--}" "$port" "$uptime" "$memory" "$(state_of "$name")"
}

state_of() {
  if ! is_running "$1"; then
    echo "stopped by itself; $(dev_command) logs $1"
  elif is_ready "$1"; then
    echo ready
  else
    echo "not ready; $(dev_command) logs $1"
  fi
}

is_ready() {
  case $1 in
    postgres) sql postgres 'SELECT 1' ;;
    rabbitmq) speaks_amqp ;;
    redis) redis_answers ;;
    epmd) is_listening "${PORT[epmd]}" ;;
    sink) answers "$(sink_url)/ledger/summary" ;;
    *) answers "$(ops_url "$1")/readyz" ;;
  esac &>/dev/null
}

# logs [NAME] [-f]
command_logs() {
  local argument name='' follow=() files=()
  for argument in "$@"; do
    case $argument in
      -f | --follow) follow=(--follow=name --retry) ;;
      *) name=$argument ;;
    esac
  done
  use_instance
  require_instance
  files=("$STATE/logs/${name:-*}"*.log)
  [[ -n $name ]] || files=("$STATE"/logs/{api,scheduler-*,worker-*,sink}.log)
  [[ -e ${files[0]} ]] || die "no log is called '$name'; there are: $(cd "$STATE/logs" && echo ./*.log)"
  exec tail --lines=40 "${follow[@]}" "${files[@]}"
}
