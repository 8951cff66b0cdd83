# Who the servers and services run as: oneself, or the system user `tidings` when root starts them
# (PostgreSQL refuses to run as root, and nothing here needs it).

readonly SYSTEM_USER=tidings

ensure_user() {
  ((EUID != 0)) || id "$SYSTEM_USER" &>/dev/null ||
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SYSTEM_USER"
}

default_user() {
  if ((EUID == 0)); then
    echo "$SYSTEM_USER"
  else
    id -un
  fi
}

# RUN_AS is the user; AS_USER starts a command as that user with nothing in its environment but what is written
# before the command, as env(1) takes it. Background jobs of a script ignore SIGINT; what they start should not.
become() {
  local switch=()
  RUN_AS=$1
  ((EUID != 0)) || switch=(setpriv "--reuid=$RUN_AS" "--regid=$(id -g "$RUN_AS")" --clear-groups)
  AS_USER=("${switch[@]}" env --ignore-environment --default-signal=INT --default-signal=QUIT
    PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8)
}

as_user() { (cd / && exec "${AS_USER[@]}" "$@"); }
