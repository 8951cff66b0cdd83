# drill: what ./dev test runs of tests/drill, and the long forms, against servers of their own. Each drill prints a line
# of counts.

command_drill() {
  local hidden='~[.]' environment filter
  while (($# > 0)); do
    case $1 in
      --long) hidden='' && shift ;;
      -*) die "drill does not know '$1'; ./dev help drill" ;;
      *) break ;;
    esac
  done
  install_packages
  build_drill_programs
  compile_quietly release drill_test
  use_instance "${CHOSEN_INSTANCE:-drill}"
  trap end_servers EXIT
  open_instance
  start_servers
  mapfile -t environment < <(server_environment)
  # The long forms are hidden, [.] to Catch2, until a pattern asks for them.
  filter=$(printf "$hidden*%s*," "$@")
  env "${environment[@]}" "TIDINGS_BIN=$ROOT/build/release/bin" "$ROOT/build/release/bin/drill_test" "$filter"
}
