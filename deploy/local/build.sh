# Builds with CMake's presets, as the person who called, into build/<preset>/.

readonly PRODUCTION_PROGRAMS=(api-svc scheduler-svc worker-svc)
readonly DRILLED_PROGRAMS=(scheduler-svc worker-svc)
readonly SINK_PROGRAM=tidings-sink
readonly DEMO_PROGRAM=tidings-demo

# compile PRESET [TARGET…]
compile() {
  local preset=$1 target=()
  shift
  (($# == 0)) || target=(--target "$@")
  cd "$ROOT" || return
  [[ -e build/$preset/build.ninja ]] || cmake --preset "$preset" || return
  cmake --build --preset "$preset" --parallel "$(nproc)" "${target[@]}"
}

# The same inside another command: one line of progress, and the compiler's words only when it fails.
compile_quietly() {
  local log=$ROOT/build/$1.log
  mkdir -p "$ROOT/build"
  step "building $1" "$log" compile "$@" && return
  tail -n 40 "$log" >&2
  return 1
}

# What drills need beside themselves: the programs that are shipped, and the same with kill points.
build_drill_programs() { compile_quietly release "${DRILLED_PROGRAMS[@]}" && compile_quietly drill; }

command_build() {
  local preset=${1:-release}
  [[ $preset =~ ^(dev|release|drill|asan|tsan|fuzz)$ ]] || die "there is no preset '$preset': dev, release, drill, asan, tsan, fuzz"
  install_packages
  if [[ $preset == fuzz ]]; then
    install_packages "${TEST_PACKAGES[@]}"
  fi
  (compile "$preset")
  say "$(elapsed) built into build/$preset/bin"
}
