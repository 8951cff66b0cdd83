# The loopback ports of an instance. Each is chosen once and remembered in the instance's `ports` file; it is chosen
# again only if a stranger listens on it while our own process is down. A port is named after its process, with a
# suffix for the second one: `api`, `api.ops`.

declare -A PORT=()

load_ports() {
  local name port
  PORT=()
  [[ -e $STATE/ports ]] || return 0
  while read -r name port; do
    PORT[$name]=$port
  done <"$STATE/ports"
}

# assign_ports NAME=FIRST…: the first free port from FIRST on, below the range the kernel lends to clients.
assign_ports() {
  local request lock
  exec {lock}>"$STATES/ports.lock"
  flock "$lock"
  for request in "$@"; do
    assign_port "${request%%=*}" "${request#*=}"
  done
  exec {lock}>&-
}

assign_port() {
  local name=$1 port=${PORT[$1]:-} candidate=$2
  if [[ -n $port ]] && { is_running "${name%.*}" || ! is_listening "$port"; }; then
    return
  fi
  while is_listening "$candidate" || is_promised "$candidate"; do
    ((++candidate))
  done
  PORT[$name]=$candidate
  save_ports
}

save_ports() {
  local name
  for name in "${!PORT[@]}"; do
    printf '%s %s\n' "$name" "${PORT[$name]}"
  done | sort >"$STATE/ports.new"
  mv "$STATE/ports.new" "$STATE/ports"
}

is_listening() { [[ -n $(ss -Hltn "sport = :$1") ]]; }

is_promised() { grep -qs " $1\$" "$STATES"/*/ports; }
