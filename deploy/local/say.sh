# What ./dev tells the person at the terminal: progress on stdout, complaints on stderr.

say() { printf '%s\n' "$*"; }

complain() { printf '%s\n' "$*" >&2; }

die() {
  complain "dev: $*"
  exit 1
}

elapsed() { printf '[%02d:%02d]' $((SECONDS / 60)) $((SECONDS % 60)); }
