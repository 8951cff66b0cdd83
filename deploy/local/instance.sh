# An instance is a private set of servers and services with its own data, ports and lock. Its state lives in
# .dev/<name>/, or in a system folder when the unprivileged user cannot enter the checkout (a root home is 0700).
# Sockets live in /tmp: a Unix socket path has room for 107 bytes only.

# STATES is the folder of all instances of this checkout.
find_states() {
  local id
  [[ -z ${STATES:-} ]] || return 0
  id=$(printf '%s' "$ROOT" | sha256sum | cut -c 1-8)
  STATES=$ROOT/.dev
  SOCKETS_PREFIX=/tmp/tidings-$id
  if ((EUID == 0)) && id "$SYSTEM_USER" &>/dev/null; then
    become "$SYSTEM_USER"
    as_user test -x "$ROOT" || STATES=/var/lib/tidings-dev/$id
  fi
}

instances() {
  local ports
  find_states
  for ports in "$STATES"/*/ports; do
    [[ ! -e $ports ]] || basename "$(dirname "$ports")"
  done
}

# Names the instance the rest of the command is about. Nothing is created yet.
use_instance() {
  INSTANCE=${1:-${CHOSEN_INSTANCE:-main}}
  [[ $INSTANCE =~ ^[a-z][a-z0-9-]{0,19}$ ]] || die "an instance is named with a-z, 0-9 and -, not '$INSTANCE'"
  find_states
  STATE=$STATES/$INSTANCE
  SOCKETS=$SOCKETS_PREFIX-$INSTANCE
  [[ -d $STATE ]] || return 0
  if ((EUID == 0)) || [[ -O $STATE ]]; then
    become "$(stat -c %U "$STATE")"
    load_ports
  else
    die "instance $INSTANCE belongs to $(stat -c %U "$STATE"); run ./dev as that user or as root"
  fi
}

instance_exists() { [[ -e $STATE/ports ]]; }

require_instance() {
  instance_exists || die "there is no instance $INSTANCE here; ./dev --instance $INSTANCE up makes one"
}

# Makes the folders of the instance and takes its lock: from here on we are the only one who changes it.
open_instance() {
  ensure_user
  unset STATES # a user just made may or may not be able to enter the checkout
  use_instance "$INSTANCE"
  [[ -d $STATE ]] || become "$(default_user)"
  mkdir -p "$ROOT/.dev" "$STATES"
  chmod 755 "$ROOT/.dev" "$STATES"
  lock_instance
  local folder owner=()
  ((EUID != 0)) || owner=(--owner="$RUN_AS" --group="$(id -g "$RUN_AS")")
  for folder in "$STATE" "$STATE"/{run,logs,bin}; do
    install -d -m 700 "${owner[@]}" "$folder"
  done
  [[ $STATES == "$ROOT/.dev" ]] || ln -sfn "$STATE" "$ROOT/.dev/$INSTANCE"
  open_sockets
}

# The folder's name can be guessed, so somebody else may have made it first.
open_sockets() {
  as_user mkdir -m 700 "$SOCKETS" 2>/dev/null || true
  [[ ! -L $SOCKETS && $(stat -c '%U %a' "$SOCKETS") == "$RUN_AS 700" ]] ||
    die "$SOCKETS is in the way: it should be a folder of $RUN_AS alone; remove it"
}

try_lock_instance() {
  exec {LOCK}>"$STATES/$INSTANCE.lock"
  flock --nonblock "$LOCK"
}

# Waits for whoever works on the instance.
lock_instance() {
  try_lock_instance && return
  say "another ./dev is at work on instance $INSTANCE; waiting for it"
  flock --timeout 1800 "$LOCK" || die "instance $INSTANCE has been busy for 30 minutes"
}

unlock_instance() { exec {LOCK}>&-; }
