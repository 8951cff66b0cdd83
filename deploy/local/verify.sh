# verify: what must hold in a running instance, each asked of the running system itself.

invariants() {
  cat <<'END'
quorum_queues        queues are durable quorum queues
dead_letters         deliveries dead-letter into tidings.dead
partitions_ahead     partitions of message_logs reach a month ahead or more
pruning              a day's question reads one partition
indexes              the hot path's indexes are there and valid
no_status_index      no index of message_logs mentions status
idempotency          what the idempotency key is made of is unique
durability           PostgreSQL waits for its disk
connection_budget    pools fit into max_connections
concurrency          every worker has its delivery lanes
readiness            every process is ready
END
}

command_verify() {
  local check title answer status=0
  use_instance
  require_instance
  [[ -n $(pid_of postgres) && -n $(pid_of rabbitmq) ]] || die "instance $INSTANCE is not running; $(dev_command) up starts it"
  service_environment
  while read -r check title; do
    if answer=$("verify_$check" </dev/null 2>&1); then
      printf 'PASS  %-58s %s\n' "$title" "$answer"
    else
      printf 'FAIL  %-58s %s\n' "$title" "$answer"
      status=1
    fi
  done < <(invariants)
  return "$status"
}

# expect_sql STATEMENT: the statement answers with a verdict (t or f), `|` and what was found.
expect_sql() {
  local answer
  answer=$(sql tidings "$1") || { echo "$answer" && return 1; }
  echo "${answer#*|}"
  [[ $answer == t\|* ]]
}

verify_quorum_queues() {
  local queues
  queues=$(rabbitmqctl list_queues --no-table-headers name type durable | grep '^tidings\.')
  echo "$queues" | awk '{ print $1 }' | paste -sd ' '
  [[ -n $queues ]] && ! grep -qvE '[[:space:]]quorum[[:space:]]true$' <<<"$queues"
}

verify_dead_letters() {
  rabbitmqctl list_queues --no-table-headers name arguments policy | grep '^tidings.deliveries' |
    grep -o 'x-dead-letter-[a-z-]*[^}]*' | paste -sd ' ' | grep dead-letter
}

verify_partitions_ahead() {
  expect_sql "SELECT max(upper_bound) >= app_now()::date + 31, 'up to ' || max(upper_bound) FROM (
    SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([0-9-]+)'))[1]::date AS upper_bound
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'message_logs'::regclass) p"
}

verify_pruning() {
  local today scanned
  today=$(sql tidings 'SELECT app_now()::date') || { echo "$today" && return 1; }
  scanned=$(sql tidings "EXPLAIN SELECT id FROM message_logs WHERE delivery_date = '$today'" |
    grep -oE 'message_logs_[0-9]+[0-9a-z_]*' | cut -d _ -f 1-4 | sort -u)
  echo "$scanned"
  [[ -n $scanned && $(wc -l <<<"$scanned") == 1 ]]
}

verify_indexes() {
  expect_sql "SELECT bool_and(coalesce(i.indisvalid, false)),
      coalesce('missing or invalid: ' || string_agg(wanted.name, ', ') FILTER (WHERE i.indisvalid IS NOT TRUE),
        count(*) || ' valid')
    FROM unnest(ARRAY['users_email', 'users_birthday', 'users_anniversary', 'message_logs_due', 'message_logs_user',
      'message_logs_type_time', 'message_logs_attention', 'dispatches_looked_at']) AS wanted (name)
    LEFT JOIN pg_index i ON i.indexrelid = to_regclass(wanted.name)"
}

verify_no_status_index() {
  expect_sql "SELECT count(*) > 0 AND count(*) FILTER (WHERE indexdef ~ '\\mstatus\\M') = 0, count(*) || ' indexes looked at'
    FROM pg_indexes WHERE tablename LIKE 'message\\_logs%'"
}

verify_idempotency() {
  expect_sql "SELECT count(*) = 1, coalesce(min(pg_get_constraintdef(oid)), 'no such constraint') FROM pg_constraint
    WHERE conrelid = 'message_logs'::regclass AND contype = 'u'
      AND pg_get_constraintdef(oid) = 'UNIQUE (message_type, delivery_date, user_id)'"
}

verify_durability() {
  expect_sql "SELECT bool_and(setting = 'on'), string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
}

# What the running services may open, each as its own environment has it. A scheduler has two more, for its housekeeper.
verify_connection_budget() {
  local name pid pool environment pools=0
  for name in $(services); do
    pid=$(pid_of "$name") || continue
    mapfile -d '' -t environment <"/proc/$pid/environ"
    pool=$(as_user "${environment[@]}" "$STATE/bin/${name%-*}-svc" --print-config | awk '$1 == "DB_POOL_MAX" { print $2 }')
    [[ $pool =~ ^[0-9]+$ ]] || { echo "$name does not say its DB_POOL_MAX" && return 1; }
    ((pools += pool))
    [[ $name != scheduler-* ]] || ((pools += 2))
  done
  ((pools > 0)) || { echo 'no service is running' && return 1; }
  expect_sql "SELECT $pools + reserved <= accepted,
      'pools $pools + ' || reserved || ' for superusers, of ' || accepted || ' accepted'
    FROM (SELECT current_setting('superuser_reserved_connections')::int AS reserved,
                 current_setting('max_connections')::int AS accepted) server"
}

verify_concurrency() {
  as_user "${SERVICE_ENVIRONMENT[@]}" "$STATE/bin/worker-svc" --print-config |
    awk '$1 == "QUEUE_CONCURRENCY" { print "QUEUE_CONCURRENCY=" $2; found = $2 >= 1 } END { exit !found }'
}

verify_readiness() {
  local name failing=()
  for name in $(daemons); do
    is_ready "$name" || failing+=("$name")
  done
  if ((${#failing[@]} > 0)); then
    echo "not ready: ${failing[*]}"
    return 1
  fi
  echo "$(daemons | wc -l) processes"
}
