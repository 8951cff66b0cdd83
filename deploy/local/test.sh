# test: checks, ten seconds of each fuzz target, then every suite of suites.sh against servers of its own. A build that
# fails, a suite without tests and a test that did not run are failures; the last line is "N passed, N failed".

readonly SANITIZER_OPTIONS=(
  ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
)

PASSED=0
FAILED=0

command_test() {
  local filter='' when=always
  while (($# > 0)); do
    case $1 in
      --long) when='always|long' && export MODEL_WALKS=300 && shift ;;
      -*) die "test does not know '$1'; ./dev help test" ;;
      *) filter=$1 && shift ;;
    esac
  done
  install_packages "${TEST_PACKAGES[@]}"
  use_instance "${CHOSEN_INSTANCE:-test}"
  trap end_tests EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  open_instance # its lock is held to the end: `down` leaves a running test alone
  RESULTS=$ROOT/build/test
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"

  run_checks checks "$filter"
  choose_suites "$filter" "$when"
  build_suites
  fuzz_briefly "$filter"
  start_servers
  [[ $BUILT != *' release '* ]] || run_checks shipping_checks "$filter" check_shipped
  run_suites "$filter"
}

# However it ends: interrupted, broken or done.
end_tests() {
  local status=$?
  trap - EXIT
  end_jobs
  stop "${REHEARSAL[@]}"
  stop_servers
  rm -rf "$SOCKETS"
  ((status == 0)) || count_failure "./dev test itself (status $status)"
  ((PASSED + FAILED > 0)) || count_failure "no test is called that"
  say "$PASSED passed, $FAILED failed"
  ((FAILED == 0)) || exit 1
}

count_failure() {
  ((++FAILED))
  say "$(elapsed) FAILED: $1"
}

# A filter that is the name of a suite saves building the others.
choose_suites() {
  mapfile -t CHOSEN_SUITES < <(suites | grep -E " ($2)\$" |
    awk -v suite="$1" '{ all = all $0 "\n" } $2 == suite { one = one $0 "\n" } END { printf "%s", one ? one : all }')
}

# BUILT holds the builds that succeeded. Each makes its suites; the system tests need the programs as well, the
# drills those with kill points too.
build_suites() {
  local build targets
  BUILT=' '
  for build in release asan tsan; do
    targets=$(printf '%s\n' "${CHOSEN_SUITES[@]}" | awk -v build="$build" '$1 == build { print $2 }')
    [[ -n $targets ]] || continue
    [[ $targets != *system_test* ]] || targets+=$'\nprograms'
    [[ $targets != *drill_test* ]] || build_drill_programs || count_failure "the build 'drill'"
    # shellcheck disable=SC2086 # one word per target
    if compile_quietly "$build" $targets; then
      BUILT+="$build "
    else
      count_failure "the build '$build'"
    fi
  done
}

# Each fuzz target is a test, named `fuzz: TARGET`.
fuzz_briefly() {
  local target chosen=()
  for target in $(fuzz_targets); do
    [[ ! "fuzz: $target" =~ $1 ]] || chosen+=("$target")
  done
  ((${#chosen[@]} > 0)) || return 0
  compile_quietly fuzz fuzz || { count_failure "the build 'fuzz'" && return; }
  run_fuzzers 10 "${chosen[@]}"
  for target in "${chosen[@]}"; do
    if report_fuzzer "$target"; then
      ((++PASSED))
    else
      count_failure "fuzz: $target"
    fi
  done
}

run_suites() {
  local build suite parallel
  while read -r build suite parallel _; do
    [[ $BUILT != *" $build "* ]] || run_suite "$build" "$suite" "$parallel" "$1"
  done < <(printf '%s\n' "${CHOSEN_SUITES[@]}")
}

# run_suite BUILD SUITE PARALLEL FILTER
run_suite() {
  local build=$1 suite=$2 filter=$4 name="$2 ($1)" results=$RESULTS/$1-$2 passed total status=0 environment
  mapfile -t environment < <(server_environment)
  step "$name" "$results.log" env "${SANITIZER_OPTIONS[@]}" "${environment[@]}" \
    "TIDINGS_BIN=$ROOT/build/$build/bin" ctest --test-dir "$ROOT/build/$build" --label-regex "^$suite\$" \
    ${filter:+--tests-regex "$filter"} --parallel "$3" --output-on-failure --no-tests=error \
    --output-junit "$results.xml" || status=$?

  total=$(count_lines '<testcase ' "$results.xml")
  passed=$(count_lines '<testcase .*status="run"' "$results.xml")
  ((PASSED += passed, FAILED += total - passed)) || true
  say "$(elapsed)   $passed passed, $((total - passed)) failed"
  if ((total == 0)); then
    [[ -n $filter ]] || count_failure "$name has no tests"
  elif ((passed < total)); then
    grep -vE '^ *[0-9]+/[0-9]+ Test +#.* Passed |^ *Start +[0-9]+: ' "$results.log"
  elif ((status != 0)); then
    tail -n 20 "$results.log"
    count_failure "$name: ctest ended with status $status"
  fi
}

count_lines() {
  local count
  count=$(grep -c "$1" "$2" 2>/dev/null) || true
  echo "${count:-0}"
}
