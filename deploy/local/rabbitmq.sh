# A private RabbitMQ 3.10 with its own node name, cookie, user and port mapper (epmd), all on loopback.

readonly RABBITMQ_BIN=/usr/lib/rabbitmq/bin

# Debian's wrappers in /usr/sbin refuse other users, so the scripts behind them are run with every path spelt out.
# RUNNING_UNDER_SYSTEMD makes the script become the Erlang VM instead of guarding it as a child.
rabbitmq_environment() {
  local home=$STATE/rabbitmq
  RABBITMQ_ENVIRONMENT=(
    "HOME=$home" "RABBITMQ_NODENAME=tidings-$INSTANCE@localhost" RABBITMQ_CONF_ENV_FILE=/dev/null
    "RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf" "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins"
    "RABBITMQ_MNESIA_BASE=$home/data" "RABBITMQ_LOG_BASE=$home" RABBITMQ_LOGS=-
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 "RABBITMQ_NODE_PORT=${PORT[rabbitmq]}"
    "RABBITMQ_DIST_PORT=${PORT[rabbitmq.dist]}"
    "ERL_EPMD_PORT=${PORT[epmd]}" ERL_EPMD_ADDRESS=127.0.0.1
    'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}'
    RUNNING_UNDER_SYSTEMD=true
  )
}

start_rabbitmq() {
  local home=$STATE/rabbitmq
  rabbitmq_environment
  # A first start that did not come to its end leaves a database without our user.
  is_running rabbitmq || [[ -e $home/complete ]] || rm -rf "$home"
  [[ -d $home ]] || configure_rabbitmq "$home"
  daemon epmd ERL_EPMD_ADDRESS=127.0.0.1 "$(command -v epmd)" -port "${PORT[epmd]}"
  await epmd 10 is_listening "${PORT[epmd]}"
  daemon rabbitmq "${RABBITMQ_ENVIRONMENT[@]}" "$RABBITMQ_BIN/rabbitmq-server"
  await rabbitmq 90 speaks_amqp
  touch "$home/complete"
}

configure_rabbitmq() {
  local home=$1 password
  password=$(random_secret)
  as_user mkdir -m 700 "$home"
  (umask 077 && random_secret >"$home/.erlang.cookie" && echo '[].' >"$home/enabled_plugins" &&
    echo "$password" >"$home/password" && cat "$ROOT/deploy/docker/rabbitmq.conf" - >"$home/rabbitmq.conf") <<END
default_user = tidings
default_pass = $password
END
  chmod 400 "$home/.erlang.cookie"
  chown -R "$RUN_AS:" "$home"
}

random_secret() { od -An -N 24 -tx1 /dev/urandom | tr -d ' \n'; }

# The broker greets with a method frame (type 1) as soon as it serves clients. Asking rabbitmq-diagnostics instead
# would start a second Erlang VM each time.
speaks_amqp() {
  local greeting
  exec 3<>"/dev/tcp/127.0.0.1/${PORT[rabbitmq]}" || return 1
  printf 'AMQP\x00\x00\x09\x01' >&3
  greeting=$(timeout 2 head -c 1 <&3 | od -An -tu1)
  exec 3>&-
  [[ $greeting == *1 ]]
}

amqp_url() { echo "amqp://tidings:$(<"$STATE/rabbitmq/password")@127.0.0.1:${PORT[rabbitmq]}/%2F"; }

rabbitmqctl() {
  rabbitmq_environment
  as_user "${RABBITMQ_ENVIRONMENT[@]}" "$RABBITMQ_BIN/rabbitmqctl" --quiet "$@"
}

delete_queues() {
  rabbitmqctl eval '[rabbit_amqqueue:delete(Q, false, false, <<"dev">>) || Q <- rabbit_amqqueue:list()], ok.'
}
