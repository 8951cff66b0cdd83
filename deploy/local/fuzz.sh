# fuzz: the targets of tests/fuzz, which are fed with whatever libFuzzer thinks of. What it finds worth keeping goes
# on growing in build/fuzz/found; tests/fuzz/corpus holds the seeds, and every input that once broke something.

readonly FUZZ_SANITIZERS=(
  ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
)

# fuzz [TARGET] [SECONDS]
command_fuzz() {
  local targets seconds=60 target status=0
  mapfile -t targets < <(fuzz_targets)
  if [[ -n ${1:-} && ! $1 =~ ^[0-9]+$ ]]; then
    [[ " ${targets[*]} " == *" $1 "* ]] || die "there is no fuzz target '$1', but: ${targets[*]}"
    targets=("$1") && shift
  fi
  if (($# > 0)); then
    [[ $1 =~ ^[1-9][0-9]*$ ]] || die "fuzz takes a number of seconds, not '$1'"
    seconds=$1
  fi
  install_packages "${TEST_PACKAGES[@]}"
  compile_quietly fuzz fuzz
  run_fuzzers "$seconds" "${targets[@]}"
  for target in "${targets[@]}"; do
    report_fuzzer "$target" || status=1
  done
  return "$status"
}

fuzz_targets() { sed -n 's/^tidings_fuzz(\([a-z]*\) .*/\1/p' "$ROOT/tests/fuzz/CMakeLists.txt"; }

# run_fuzzers SECONDS TARGET…: each for so long, two at a time.
run_fuzzers() {
  local seconds=$1 target lane=0 lanes=('' '') jobs=()
  shift
  mkdir -p "$ROOT/build/fuzz/found"
  for target in "$@"; do
    lanes[lane]+=" $target"
    lane=$((1 - lane))
  done
  for lane in 0 1; do
    # shellcheck disable=SC2086 # one word per target
    background fuzz_in_turn "$seconds" ${lanes[lane]}
    jobs+=("$!")
  done
  wait "${jobs[@]}" || true
}

fuzz_in_turn() {
  local seconds=$1 target
  shift
  for target in "$@"; do
    say "$(elapsed) fuzzing $target for $seconds s"
    run_fuzzer "$target" "$seconds"
  done
}

# A target's exit status goes into its file.
run_fuzzer() {
  local target=$1 results=$ROOT/build/fuzz/$1 found=$ROOT/build/fuzz/found/$1 status=0
  mkdir -p "$found"
  env "${FUZZ_SANITIZERS[@]}" "$ROOT/build/fuzz/bin/fuzz-$target" -max_total_time="$2" -max_len=4096 -timeout=5 \
    -rss_limit_mb=1024 -print_final_stats=1 "-artifact_prefix=$results-" "$found" "$ROOT/tests/fuzz/corpus/$target" \
    >"$results.log" 2>&1 </dev/null || status=$?
  echo "$status" >"$results.status"
}

# One line, or the reason of the crash and how to see it again.
report_fuzzer() {
  local target=$1 results=$ROOT/build/fuzz/$1 input
  if [[ $(<"$results.status") == 0 ]]; then
    say "$(elapsed)   $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$results.log") inputs, nothing found"
    return
  fi
  grep -E 'does not hold|runtime error|ERROR|SUMMARY|  what\(\)|^ +#[0-9]+ .* /' "$results.log" | head -n 20
  input=$(sed -n 's/.*Test unit written to //p' "$results.log")
  say "  $target broke. Again: ./build/fuzz/bin/fuzz-$target ${input:-tests/fuzz/corpus/$target/*}"
  [[ -z $input ]] || say "  When it is mended, keep the input: mv $input tests/fuzz/corpus/$target/what_it_showed"
  return 1
}
