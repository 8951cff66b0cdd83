# test: checks, every suite of suites.sh against servers of its own, and ten seconds of each fuzz target. A build that
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
  choose_fuzzers "$filter"
  start_building
  start_servers
  run_build release "$filter" shipping_checks
  fuzz_briefly
  run_build asan "$filter"
  run_build tsan "$filter"
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

choose_fuzzers() {
  local target
  CHOSEN_FUZZERS=()
  for target in $(fuzz_targets); do
    [[ ! "fuzz: $target" =~ $1 ]] || CHOSEN_FUZZERS+=("$target")
  done
}

# BUILDER builds what was chosen, while tests of what is there already are run: they mostly wait. It is only to take
# what they leave of the processors.
start_building() {
  background build_all
  BUILDER=$!
}

build_all() {
  local build
  renice 15 "$BASHPID" >/dev/null
  for build in release fuzz asan tsan; do
    status=0
    build_chosen "$build" >"$ROOT/build/$build.log" 2>&1 || status=$?
    echo "$status" >"$RESULTS/$build.status"
  done
}

# Its suites; the system tests need the programs as well, the drills those with kill points too.
build_chosen() {
  local targets
  mapfile -t targets < <(chosen_suites "$1")
  if [[ $1 == fuzz ]]; then
    ((${#CHOSEN_FUZZERS[@]} == 0)) || targets=(fuzz)
  fi
  ((${#targets[@]} > 0)) || return 0
  [[ " ${targets[*]} " != *' system_test '* ]] || targets+=(programs)
  [[ " ${targets[*]} " != *' drill_test '* ]] || { compile release "${DRILLED_PROGRAMS[@]}" && compile drill; } || return
  compile "$1" "${targets[@]}"
}

# chosen_suites BUILD [AT_A_TIME]
chosen_suites() {
  printf '%s\n' "${CHOSEN_SUITES[@]}" | awk -v build="$1" -v at_a_time="${2:-}" \
    '$1 == build && (at_a_time == "" || $3 == at_a_time) { print $2 }'
}

# await_build BUILD: until it has ended; one that failed is counted and shown.
await_build() {
  local log=$ROOT/build/$1.log
  say "$(elapsed) building $1"
  follow "$log" is_building "$1"
  [[ $(cat "$RESULTS/$1.status") != 0 ]] || return 0
  tail -n 40 "$log" >&2
  count_failure "the build '$1'"
  return 1
}

is_building() { [[ ! -s $RESULTS/$1.status ]] && kill -0 "$BUILDER" 2>/dev/null; }

# Each fuzz target is a test, named `fuzz: TARGET`.
fuzz_briefly() {
  local target
  ((${#CHOSEN_FUZZERS[@]} > 0)) && await_build fuzz || return 0
  run_fuzzers 10 "${CHOSEN_FUZZERS[@]}"
  for target in "${CHOSEN_FUZZERS[@]}"; do
    if report_fuzzer "$target"; then
      ((++PASSED))
    else
      count_failure "fuzz: $target"
    fi
  done
}

# run_build BUILD FILTER [CHECKS]: its suites, those together that may run as many at a time.
run_build() {
  local at_a_time suites
  [[ -n $(chosen_suites "$1") ]] && await_build "$1" || return 0
  [[ -z ${3:-} ]] || run_checks "$3" "$2" check_shipped
  for at_a_time in $(printf '%s\n' "${CHOSEN_SUITES[@]}" | awk -v build="$1" '$1 == build { print $3 }' | sort -rnu); do
    mapfile -t suites < <(chosen_suites "$1" "$at_a_time")
    run_suites "$1" "$at_a_time" "$2" "${suites[@]}"
  done
}

# run_suites BUILD AT_A_TIME FILTER SUITE…
run_suites() {
  local build=$1 at_a_time=$2 filter=$3 results=$RESULTS/$1-$2 suite passed total status=0 environment
  shift 3
  mapfile -t environment < <(server_environment)
  step "$build: $*" "$results.log" env "${SANITIZER_OPTIONS[@]}" "${environment[@]}" \
    "TIDINGS_BIN=$ROOT/build/$build/bin" ctest --test-dir "$ROOT/build/$build" \
    --label-regex "^($(IFS='|' && echo "$*"))\$" ${filter:+--tests-regex "$filter"} --parallel "$at_a_time" \
    --output-on-failure --no-tests=error --output-junit "$results.xml" || status=$?

  total=$(count_lines '<testcase ' "$results.xml")
  passed=$(count_lines '<testcase .*status="run"' "$results.xml")
  ((PASSED += passed, FAILED += total - passed)) || true
  say "$(elapsed)   $passed passed, $((total - passed)) failed"
  if [[ -z $filter ]]; then
    for suite in "$@"; do
      (($(count_lines "<testcase name=\"$suite:" "$results.xml") > 0)) || count_failure "$suite ($build) has no tests"
    done
  fi
  ((total > 0)) || return 0
  if ((passed < total)); then
    grep -vE '^ *[0-9]+/[0-9]+ Test +#.* Passed |^ *Start +[0-9]+: ' "$results.log"
  elif ((status != 0)); then
    tail -n 20 "$results.log"
    count_failure "$build: ctest ended with status $status"
  fi
}

count_lines() {
  local count
  count=$(grep -c "$1" "$2" 2>/dev/null) || true
  echo "${count:-0}"
}
