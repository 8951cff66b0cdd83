# up, down, restart, reset: the life of an instance.

command_up() {
  while (($# > 0)); do
    case $1 in
      --workers) WANTED_WORKERS=$(replica_count "$1" "${2:-}") && shift 2 ;;
      --schedulers) WANTED_SCHEDULERS=$(replica_count "$1" "${2:-}") && shift 2 ;;
      *) die "up does not know '$1'; ./dev help up" ;;
    esac
  done
  install_packages
  compile_quietly release "${PRODUCTION_PROGRAMS[@]}" "$SINK_PROGRAM"
  use_instance
  bring_up
  summary
}

replica_count() {
  [[ $2 =~ ^[1-9][0-9]?$ ]] || die "$1 takes a number from 1 to 99"
  echo "$2"
}

bring_up() {
  trap interrupted INT TERM
  open_instance
  say "$(elapsed) starting instance $INSTANCE"
  start_servers
  create_database
  start_services
  unlock_instance
  trap - INT TERM
}

# What has started goes on running; the next `up` finds it by its pid files.
interrupted() {
  complain
  die "interrupted; $(dev_command) up continues from here, $(dev_command) down stops what has started"
}

dev_command() { [[ $INSTANCE == main ]] && echo ./dev || echo "./dev --instance $INSTANCE"; }

summary() {
  local name
  say "$(elapsed) instance $INSTANCE is up"
  say
  say "  API         $(api_url)/api/v1"
  say "  API key     $(<"$STATE/api_key")"
  say "  e-mail sink $(sink_url)/ledger/summary"
  for name in $(services); do
    say "  operations  $(ops_url "$name")/metrics  $name"
  done
  say
  next_commands
}

next_commands() {
  local key="Authorization: Bearer \$(cat '$STATE/api_key')" birthday
  birthday=$(TZ=Europe/London date -d '15 hours' +%m-%d) # the date of the next 09:00 there
  say "Next:"
  say "  create somebody who is greeted at the next 09:00 in London"
  say "    curl -H \"$key\" $(api_url)/api/v1/users --json '{\"firstName\": \"Ada\", \"lastName\": \"Byron\"," \
    "\"email\": \"ada@example.org\", \"timezone\": \"Europe/London\", \"birthdayDate\": \"1990-$birthday\"}'"
  say "  see what is planned for them (their id is in the answer above)"
  say "    curl -H \"$key\" $(api_url)/api/v1/users/ID/messages"
  say "  look inside, then stop"
  say "    $(dev_command) logs -f     $(dev_command) psql     $(dev_command) down"
}

command_down() {
  local name
  (($# == 0)) || die "down takes no arguments; ./dev --instance NAME down stops one instance"
  if [[ -n $CHOSEN_INSTANCE ]]; then
    use_instance
    lock_existing
    take_down
    return
  fi
  for name in $(instances); do
    use_instance "$name"
    case $name in
      test | benchmark)
        try_lock_instance || { say "instance $name is in use by a running $name; it stays" && continue; }
        ;;
      *) lock_instance ;;
    esac
    take_down
    unlock_instance
  done
}

lock_existing() {
  require_instance
  lock_instance
}

take_down() {
  local count
  count=$(daemons | wc -l)
  stop_services
  stop_servers
  rm -rf "$SOCKETS"
  if ((count > 0)); then
    say "$(elapsed) instance $INSTANCE is down"
  else
    say "instance $INSTANCE was not running"
  fi
}

# restart [NAME]: one process by its name in `status`, all replicas of a service, or all services.
command_restart() {
  local name chosen=()
  use_instance
  lock_existing
  for name in $(daemons); do
    [[ $name != "${1:-}" && ${name%-*} != "${1:-}" ]] || chosen+=("$name")
  done
  if (($# == 0)); then
    mapfile -t chosen < <(services)
  fi
  ((${#chosen[@]} > 0)) || die "nothing called '${1:-}' runs in instance $INSTANCE; ./dev status lists it"
  stop "${chosen[@]}"
  unlock_instance
  bring_up
  say "$(elapsed) restarted: ${chosen[*]}"
}

command_reset() {
  local answer
  use_instance
  lock_existing
  if [[ ${1:-} != --yes && -t 0 ]]; then
    read -rp "Delete every user and message of instance $INSTANCE? [y/N] " answer
    [[ $answer == [yY]* ]] || die "nothing was deleted"
  fi
  take_down
  rm -rf "$STATE"
  [[ ! -L $ROOT/.dev/$INSTANCE ]] || rm "$ROOT/.dev/$INSTANCE"
  say "instance $INSTANCE is deleted"
}
