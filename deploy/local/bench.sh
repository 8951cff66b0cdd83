# bench: the programs of tests/bench, against servers of their own. Each prints a table and writes
# .dev/bench/NAME.json.

command_bench() {
  local name chosen environment status=0
  install_packages strace
  compile_quietly release programs
  if [[ ${1:-} == --list ]]; then
    benchmarks
    return
  fi
  mapfile -t chosen < <(benchmarks)
  if (($# > 0)); then
    [[ -x $(benchmark_program "$1") ]] || die "there is no benchmark '$1', but: ${chosen[*]}"
    chosen=("$1")
  fi
  use_instance "${CHOSEN_INSTANCE:-benchmark}"
  trap end_servers EXIT
  open_instance
  start_servers
  mkdir -p "$ROOT/.dev/bench"
  mapfile -t environment < <(server_environment)
  for name in "${chosen[@]}"; do
    env "${environment[@]}" "TIDINGS_BIN=$ROOT/build/release/bin" "BENCH_OUT=$ROOT/.dev/bench" \
      "$(benchmark_program "$name")" "${@:2}" || status=1
  done
  return "$status"
}

benchmark_program() { echo "$ROOT/build/release/bin/bench-$1"; }

benchmarks() {
  local program
  for program in "$(benchmark_program '')"*; do
    [[ ! -x $program ]] || echo "${program##*/bench-}"
  done
}
