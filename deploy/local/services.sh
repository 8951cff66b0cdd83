# The three services and the e-mail sink of an instance. They run copies of the programs: a build never pulls a
# file from under them, and their user may not be able to enter the checkout.

start_services() {
  local index ready=()
  copy_programs
  read_replicas
  assign_service_ports
  make_secret "$STATE/provider_token"
  service_environment
  migrate
  create_api_key
  stop_surplus_replicas

  daemon sink "$STATE/bin/$SINK_PROGRAM" --port "${PORT[sink]}" --token-file "$STATE/provider_token"
  service api api-svc "PORT=${PORT[api]}"
  for ((index = 1; index <= SCHEDULERS; index++)); do
    service "scheduler-$index" scheduler-svc
  done
  for ((index = 1; index <= WORKERS; index++)); do
    service "worker-$index" worker-svc
  done

  await sink 10 answers "$(sink_url)/ledger/summary"
  mapfile -t ready < <(services)
  for index in "${ready[@]}"; do
    await "$index" 30 answers "$(ops_url "$index")/readyz"
  done
}

# service NAME PROGRAM [VARIABLE=value…]
service() { daemon "$1" "${SERVICE_ENVIRONMENT[@]}" "OPS_PORT=${PORT[$1.ops]}" "${@:3}" "$STATE/bin/$2"; }

copy_programs() {
  local program
  for program in "${PRODUCTION_PROGRAMS[@]}" "$SINK_PROGRAM"; do
    cmp -s "$ROOT/build/release/bin/$program" "$STATE/bin/$program" && continue
    install -m 755 "$ROOT/build/release/bin/$program" "$STATE/bin/$program.new"
    mv "$STATE/bin/$program.new" "$STATE/bin/$program"
  done
}

# How many of each: what the command line says, else what the last start said, else one.
read_replicas() {
  local schedulers=1 workers=1
  [[ ! -e $STATE/replicas ]] || read -r schedulers workers <"$STATE/replicas"
  SCHEDULERS=${WANTED_SCHEDULERS:-$schedulers}
  WORKERS=${WANTED_WORKERS:-$workers}
  echo "$SCHEDULERS $WORKERS" >"$STATE/replicas"
}

assign_service_ports() {
  local index ports=(api=3000 sink=3100 api.ops=9100)
  for ((index = 1; index <= SCHEDULERS; index++)); do
    ports+=("scheduler-$index.ops=9110")
  done
  for ((index = 1; index <= WORKERS; index++)); do
    ports+=("worker-$index.ops=9120")
  done
  assign_ports "${ports[@]}"
}

make_secret() {
  [[ ! -s $1 ]] || return 0
  (umask 077 && random_secret >"$1")
  ((EUID != 0)) || chown "$RUN_AS:" "$1"
}

service_environment() {
  SERVICE_ENVIRONMENT=(
    APP_ENV=development "DATABASE_URL=$(database_url tidings tidings)"
    "DATABASE_URL_UNPOOLED=$(database_url tidings tidings)"
    "AMQP_URL=$(amqp_url)" QUEUE_PREFIX=tidings "REDIS_URL=$(redis_url)"
    "PROVIDER_URL=$(sink_url)" "PROVIDER_TOKEN_FILE=$STATE/provider_token" OPS_BIND=127.0.0.1
  )
}

migrate() {
  as_user "${SERVICE_ENVIRONMENT[@]}" "$STATE/bin/api-svc" migrate >>"$STATE/logs/migrate.log" 2>&1 && return
  tail -n 20 "$STATE/logs/migrate.log" >&2
  die "the database of instance $INSTANCE could not be migrated"
}

create_api_key() {
  local scopes=users:read,users:write,messages:read,messages:write,imports,admin
  [[ ! -s $STATE/api_key ]] || return 0
  (umask 077 && as_user "${SERVICE_ENVIRONMENT[@]}" "$STATE/bin/api-svc" keys create --name dev --scopes "$scopes" --limits none \
    >"$STATE/api_key.new" 2>"$STATE/logs/keys.log") ||
    { cat "$STATE/logs/keys.log" >&2 && die "no API key could be made in instance $INSTANCE"; }
  mv "$STATE/api_key.new" "$STATE/api_key"
}

stop_surplus_replicas() {
  local name surplus=()
  for name in $(daemons); do
    case $name in
      scheduler-*) ((${name#*-} <= SCHEDULERS)) || surplus+=("$name") ;;
      worker-*) ((${name#*-} <= WORKERS)) || surplus+=("$name") ;;
    esac
  done
  stop "${surplus[@]}"
}

services() { daemons | grep -E '^(api|scheduler-[0-9]+|worker-[0-9]+)$' || true; }

stop_services() {
  local running
  mapfile -t running < <(services)
  stop "${running[@]}"
  stop sink
}

api_url() { echo "http://127.0.0.1:${PORT[api]}"; }
sink_url() { echo "http://127.0.0.1:${PORT[sink]}"; }
ops_url() { echo "http://127.0.0.1:${PORT[$1.ops]}"; }

answers() { curl --fail --silent --max-time 2 --output /dev/null "$1"; }
