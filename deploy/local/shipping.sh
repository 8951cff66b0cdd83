# Checks of what is shipped, the Compose file, the image, nginx's configuration and the migrations' way in, against the
# programs just built. They need the release build, the last one servers as well.

shipping_checks() {
  cat <<'END'
file_is_valid             docker-compose accepts the Compose file, and nothing without its secrets
settings_are_known        each container's variables are settings of its program, and none is missing
ports_agree               ports of Compose, image, nginx and programs agree
paths_exist               every file and secret that is mounted exists
commands_exist            every command and health check exists
closed_by_default         containers have no privileges, ports or passwords they do not need
budget_holds              the pools fit into PostgreSQL, and a stop is a drain
postgres_is_sized         PostgreSQL has the sizes it is shipped with, and counts its statements
packages_suffice          the image has the libraries of the programs, and no others
packages_are_in_bookworm  bookworm has every package of the image
copies_exist              the image can copy and install what it wants to
nginx_accepts             nginx accepts the shipped configuration
rehearse                  installed programs with Compose's settings deliver a message behind the edge
END
}

check_shipped() {
  if [[ $1 == rehearse ]]; then
    rehearse
  else
    TIDINGS_BIN=$ROOT/build/release/bin python3 -B tests/deploy/check.py "$1"
  fi
}

readonly REHEARSAL=(rehearsal-edge rehearsal-api rehearsal-scheduler rehearsal-worker rehearsal-sink)

# As near to `docker compose --env-file deploy/docker/demo.env up` as one comes without containers: the programs as the
# Dockerfile installs them, with the variables, secrets and health checks of the Compose file; only addresses differ.
rehearse() {
  local folder=$STATE/rehearsal objection
  stop "${REHEARSAL[@]}"
  rm -rf "$folder"
  as_user mkdir -m 700 "$folder"
  objection=$(rehearse_start "$folder" 2>&1 && rehearse_message "$folder" 2>&1) ||
    { echo "$objection" && tail -n 5 "$STATE"/logs/rehearsal-*.log; }
  stop "${REHEARSAL[@]}"
  sql postgres 'DROP DATABASE IF EXISTS tidings' && sql postgres 'DROP ROLE IF EXISTS tidings'
}

# rehearse_start FOLDER
rehearse_start() {
  local folder=$1
  cmake --install "$ROOT/build/release" --component services --prefix "$folder" --strip >/dev/null &&
    cmake --install "$ROOT/build/release" --component sink --prefix "$folder" --strip >/dev/null || return
  assign_ports rehearsal-edge=8080 rehearsal-api=3000 rehearsal-api.ops=9100 rehearsal-scheduler.ops=9101 \
    rehearsal-worker.ops=9102 rehearsal-sink=3100
  rehearse_secrets "$folder" || return
  sed "s|/run/secrets|$folder/secrets|" "$ROOT/deploy/docker/create_database.sql" >"$folder/create_database.sql"
  as_user "$POSTGRES_BIN/psql" -Xq -v ON_ERROR_STOP=1 -f "$folder/create_database.sql" \
    "$(database_url postgres postgres)" || return
  rehearse_command migrate "$folder" api-svc migrate >/dev/null || return
  rehearse_command api "$folder" api-svc keys create --name rehearsal --scopes users:read,users:write,messages:read \
    >"$folder/key" || return

  daemon rehearsal-sink "$folder/bin/tidings-sink" --port "${PORT[rehearsal-sink]}" \
    --token-file "$folder/secrets/provider_token"
  rehearse_service api "$folder" && rehearse_service scheduler "$folder" && rehearse_service worker "$folder" &&
    rehearse_edge "$folder"
}

# Made by the shipped script; the broker's user is there already, and servers have other addresses.
rehearse_secrets() {
  local secrets=$1/secrets
  as_user bash -s "$secrets" <"$ROOT/deploy/docker/make_secrets.sh" >/dev/null &&
    sed -i "s|@postgres:5432/|@127.0.0.1:${PORT[postgres]}/|" "$secrets/database_url" &&
    grep -q "127.0.0.1:${PORT[postgres]}" "$secrets/database_url" &&
    amqp_url >"$secrets/amqp_url" && random_secret >"$secrets/provider_token"
}

# rehearse_settings SERVICE FOLDER: into SETTINGS, and the health check into HEALTH.
rehearse_settings() {
  local text
  text=$(TIDINGS_BIN=$2/bin python3 -B "$ROOT/tests/deploy/settings_of.py" "$1" "$2/secrets") || return
  mapfile -t SETTINGS < <(sed '/^$/,$d' <<<"$text")
  mapfile -t HEALTH < <(sed '1,/^$/d' <<<"$text")
  SETTINGS+=("PORT=${PORT[rehearsal-api]}" "PROVIDER_URL=http://127.0.0.1:${PORT[rehearsal-sink]}" BIND=127.0.0.1
    OPS_BIND=127.0.0.1 "OPS_PORT=${PORT[rehearsal-$1.ops]:-0}")
}

# rehearse_command SERVICE FOLDER PROGRAM [ARGUMENT…]
rehearse_command() {
  rehearse_settings "$1" "$2" && as_user "${SETTINGS[@]}" "$2/bin/$3" "${@:4}"
}

# rehearse_service SERVICE FOLDER: starts it, and waits until its own health check says that it is well.
rehearse_service() {
  rehearse_settings "$1" "$2" || return
  daemon "rehearsal-$1" "${SETTINGS[@]}" "$2/bin/$1-svc"
  await "rehearsal-$1" 30 as_user "${SETTINGS[@]}" "$2/bin/${HEALTH[0]}" "${HEALTH[@]:1}"
}

rehearse_edge() {
  local folder=$1
  sed "s|api:3000|127.0.0.1:${PORT[rehearsal-api]}|; s| /tmp/| $folder/|; s|/dev/stdout|$folder/access.log|
    s|/dev/stderr|$folder/error.log|" "$ROOT/deploy/nginx/nginx.conf" >"$folder/nginx.conf"
  sed "s|8080|127.0.0.1:${PORT[rehearsal-edge]}|" "$ROOT/deploy/nginx/http.conf" >"$folder/listen.conf"
  daemon rehearsal-edge /usr/sbin/nginx -e stderr -c "$folder/nginx.conf" -g 'daemon off; master_process off;'
  await rehearsal-edge 10 is_listening "${PORT[rehearsal-edge]}"
}

# rehearse_message FOLDER: somebody is added through the edge, and greeted a few seconds later, in production's time.
rehearse_message() {
  local edge=http://127.0.0.1:${PORT[rehearsal-edge]}/api/v1/users key user deadline=$((SECONDS + 40))
  key="Authorization: Bearer $(<"$1/key")"
  user=$(curl -fsS -H "$key" "$edge" --json '{"firstName": "Ada", "lastName": "Byron", "email": "ada@example.org",
    "timezone": "UTC"}' | sed -nE 's/.*"id":"([^"]+)".*/\1/p')
  [[ -n $user ]] || return
  sql tidings "INSERT INTO message_types (name, template, send_at)
      VALUES ('REHEARSAL', 'Hello {full_name}', (app_now() AT TIME ZONE 'UTC' + interval '5 s')::time);
    INSERT INTO user_occasions (user_id, message_type, date, one_off)
      VALUES ('$user', 'REHEARSAL', (app_now() AT TIME ZONE 'UTC' + interval '5 s')::date, true)" || return
  until curl -fsS -H "$key" "$edge/$user/messages" | grep -q '"status":"SENT"'; do
    ((SECONDS < deadline)) || { echo "the message was not sent" && return 1; }
    sleep 0.2
  done
  curl -fsS "http://127.0.0.1:${PORT[rehearsal-sink]}/ledger?limit=10" | grep -q 'Hello Ada Byron' ||
    { echo "the provider did not receive it" && return 1; }
}
