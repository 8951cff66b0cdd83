# A private PostgreSQL 15, as durable as a real one. Clients reach it through the socket folder, which only the
# instance's user (and root) can enter.

readonly POSTGRES_BIN=/usr/lib/postgresql/15/bin

# The settings that are shipped, with port and addresses of our own on top.
readonly POSTGRES_SETTINGS=$ROOT/deploy/docker/postgresql.conf

start_postgres() {
  local data=$STATE/postgres settings
  if [[ ! -d $data ]]; then
    rm -rf "$data.new"
    make_secret "$STATE/postgres_password"
    as_user "$POSTGRES_BIN/initdb" --pgdata="$data.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
      --pwfile="$STATE/postgres_password" --auth-local=trust --auth-host=scram-sha-256 >>"$STATE/logs/postgres.log" 2>&1 ||
      die "initdb failed; see $STATE/logs/postgres.log"
    mv "$data.new" "$data"
  fi
  is_running postgres || clear_stale_postgres_lock "$data"
  # Its name tells the contents: changed settings are another command line, and so another daemon. Those of before go.
  settings=$STATE/postgresql-$(sha256sum "$POSTGRES_SETTINGS" | cut -c 1-8).conf
  [[ -e $settings ]] || rm -f "$STATE"/postgresql-*.conf
  install -m 644 "$POSTGRES_SETTINGS" "$settings"
  daemon postgres "$POSTGRES_BIN/postgres" -D "$data" "--config_file=$settings" "--port=${PORT[postgres]}" \
    --listen_addresses=127.0.0.1 "--unix_socket_directories=$SOCKETS"
  await postgres 60 sql postgres 'SELECT 1'
}

# After a crash the recorded pid may meanwhile be somebody else's, and PostgreSQL would refuse to start.
clear_stale_postgres_lock() {
  local pid
  read -r pid 2>/dev/null <"$1/postmaster.pid" || return 0
  [[ -n $(start_time_of "$pid") && $(cat "/proc/$pid/comm" 2>/dev/null) == postgres ]] ||
    rm -f "$1/postmaster.pid" "$SOCKETS"/.s.PGSQL.*
}

# database_url ROLE DATABASE
database_url() { echo "postgresql:///$2?host=$SOCKETS&port=${PORT[postgres]}&user=$1"; }

# sql DATABASE STATEMENT: runs it as superuser and prints the bare values.
sql() { as_user "$POSTGRES_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -c "$2" "$(database_url postgres "$1")"; }

create_database() {
  [[ $(sql postgres "SELECT 1 FROM pg_roles WHERE rolname = 'tidings'") == 1 ]] ||
    sql postgres 'CREATE ROLE tidings LOGIN'
  [[ $(sql postgres "SELECT 1 FROM pg_database WHERE datname = 'tidings'") == 1 ]] ||
    sql postgres 'CREATE DATABASE tidings OWNER tidings'
  sql tidings 'SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS pg_stat_statements'
}

command_psql() {
  use_instance
  require_instance
  is_running postgres || die "PostgreSQL of instance $INSTANCE is not running; ./dev up starts it"
  exec "$POSTGRES_BIN/psql" "$(database_url tidings tidings)" "$@"
}
