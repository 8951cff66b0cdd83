# PostgreSQL, RabbitMQ and Redis of an instance, started side by side.

start_servers() {
  local server job jobs=() failed=0
  assign_ports postgres=15432 rabbitmq=15672 rabbitmq.dist=15700 epmd=15369 redis=16379
  for server in postgres rabbitmq redis; do
    background "start_$server"
    jobs+=("$!")
  done
  for job in "${jobs[@]}"; do
    wait "$job" || failed=1
  done
  ((failed == 0)) || exit 1
}

# RabbitMQ before the port mapper it is registered with.
stop_servers() {
  stop rabbitmq redis postgres
  stop epmd
}

# The end of a command that started them for itself.
end_servers() {
  end_jobs
  stop_servers
  rm -rf "$SOCKETS"
}

# What tests and benchmarks need to know: superuser access, for they create their own databases. The password is for
# those that go over TCP, through a gate that fails on demand. One test reads what the server logs.
server_environment() {
  echo "TEST_DATABASE_URL=$(database_url postgres postgres)&password=$(cat "$STATE/postgres_password")"
  echo "TEST_AMQP_URL=$(amqp_url)"
  echo "TEST_REDIS_URL=$(redis_url)"
  echo "TEST_POSTGRES_LOG=$STATE/logs/postgres.log"
}
