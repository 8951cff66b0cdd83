# demo: two days of the whole system in two minutes, on a database, a queue and a ledger of its own.

command_demo() {
  install_packages
  compile_quietly release "${PRODUCTION_PROGRAMS[@]}" "$SINK_PROGRAM" "$DEMO_PROGRAM"
  use_instance "${CHOSEN_INSTANCE:-demo}"
  open_instance
  exec {DEMO_LOCK}>"$STATE/demo.lock"
  flock --nonblock "$DEMO_LOCK" || die "a demo is already running in instance $INSTANCE"
  start_afresh
  bring_up
  run_demo "$@"
}

start_afresh() {
  trap interrupted INT TERM
  say "$(elapsed) preparing a fresh database, queue and ledger"
  stop_services
  start_servers
  delete_queues >/dev/null
  sql postgres 'DROP DATABASE IF EXISTS tidings WITH (FORCE)' 2>/dev/null
  rm -f "$STATE/api_key"
  unlock_instance
}

# The program says itself when it is interrupted; the system goes on running either way.
run_demo() {
  local status=0
  trap : INT
  "$ROOT/build/release/bin/$DEMO_PROGRAM" --api "$(api_url)" --api-key-file "$STATE/api_key" \
    --database "$(database_url tidings tidings)" --sink "$(sink_url)" "$@" || status=$?
  say
  ((status != 130)) || say "The demo was interrupted."
  say "The system is still running, on its shifted clock. Look around:"
  say "  every e-mail it sent     curl $(sink_url)/ledger/summary"
  say "  the ledger itself        ./dev --instance $INSTANCE psql -c 'SELECT status, count(*) FROM message_logs GROUP BY 1'"
  say "  what each process does   ./dev --instance $INSTANCE status"
  say "Stop it:                   ./dev --instance $INSTANCE down"
  return "$status"
}
