# bench: the programs of tests/bench, against servers of their own. Each prints a table and writes
# .dev/bench/NAME.json.

readonly PEERS=$ROOT/build/peers

command_bench() {
  local name chosen environment status=0
  install_packages strace
  compile_quietly release programs
  if [[ ${1:-} == --list ]]; then
    benchmarks
    return
  fi
  mapfile -t chosen < <(benchmarks | grep -vx peers) # which needs the npm registry
  if (($# > 0)); then
    [[ -x $(benchmark_program "$1") ]] || die "there is no benchmark '$1', but: ${chosen[*]} peers"
    chosen=("$1")
  fi
  [[ ${chosen[*]} != peers ]] || install_peers
  if [[ " ${chosen[*]} " == *' pool '* ]] && command -v npm >/dev/null; then
    (install_peers) || true # without them it says so
  fi
  use_instance "${CHOSEN_INSTANCE:-benchmark}"
  trap end_servers EXIT
  open_instance
  start_servers
  mkdir -p "$ROOT/.dev/bench"
  mapfile -t environment < <(server_environment)
  for name in "${chosen[@]}"; do
    env "${environment[@]}" "TIDINGS_BIN=$ROOT/build/release/bin" "BENCH_OUT=$ROOT/.dev/bench" "BENCH_PEERS=$PEERS" \
      "$(benchmark_program "$name")" "${@:2}" || status=1
  done
  return "$status"
}

# What the benchmarks `peers` and `pool` compare with, in the versions of tests/bench/peers/package-lock.json, Node.js among them.
# Scripts stand beside their packages, as Node.js looks for these there.
install_peers() {
  local source=$ROOT/tests/bench/peers log=$ROOT/build/peers.log
  command -v npm >/dev/null || install_packages npm
  mkdir -p "$PEERS"
  install -m 644 "$source"/*.mjs "$PEERS"
  cmp -s "$source/package-lock.json" "$PEERS/installed.json" && return
  install -m 644 "$source"/package*.json "$PEERS"
  step "installing the peers from the npm registry" "$log" \
    npm install --prefix "$PEERS" --ignore-scripts --no-audit --no-fund || {
    tail -n 20 "$log" >&2
    die "npm could not install what tests/bench/peers names"
  }
  install -m 644 "$source/package-lock.json" "$PEERS/installed.json"
}

benchmark_program() { echo "$ROOT/build/release/bin/bench-$1"; }

benchmarks() {
  local program
  for program in "$(benchmark_program '')"*; do
    [[ ! -x $program ]] || echo "${program##*/bench-}"
  done
}
