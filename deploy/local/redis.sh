# A private Redis on loopback. It only ever holds copies, so it keeps nothing on disk.

start_redis() {
  daemon redis /usr/bin/redis-server --port "${PORT[redis]}" --bind 127.0.0.1 --protected-mode yes \
    --unixsocket "$SOCKETS/redis" --unixsocketperm 700 --dir "$STATE" --save '' --appendonly no \
    --maxmemory 128mb --maxmemory-policy allkeys-lru --daemonize no
  await redis 20 redis_answers
}

redis_answers() { [[ $(redis-cli -s "$SOCKETS/redis" ping) == PONG ]]; }

redis_url() { echo "redis://127.0.0.1:${PORT[redis]}"; }
