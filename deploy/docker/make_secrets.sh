#!/usr/bin/env bash
# make_secrets.sh FOLDER: passwords for docker-compose.yml, each where it is needed. Files that exist keep their text.
# Run by root, each file is for the container's user who needs it; else every user who may enter the folder can read.
set -euo pipefail

folder=${1:?usage: make_secrets.sh FOLDER}
mkdir -p "$folder"
chmod 700 "$folder"
mkdir -p "$folder/tls"
chmod 755 "$folder/tls"

random_password() { od -An -N 24 -tx1 /dev/urandom | tr -d ' \n'; }

readonly services=10001 images=999 # users in our image, and in those of PostgreSQL, RabbitMQ and Redis

# keep NAME USER TEXT
keep() {
  [[ -e $folder/$1 ]] || (umask 077 && printf '%s' "$3" >"$folder/$1")
  if ((EUID == 0)); then
    chown "$2:$2" "$folder/$1"
    chmod 400 "$folder/$1"
  else
    chmod 644 "$folder/$1"
  fi
}

keep postgres_password "$images" "$(random_password)"
keep tidings_password "$images" "$(random_password)"
keep database_url "$services" "postgresql://tidings:$(<"$folder/tidings_password")@postgres:5432/tidings?sslmode=disable"

password=$(random_password)
keep amqp_url "$services" "amqp://tidings:$password@rabbitmq:5672/%2F"
password=$(sed -E 's|.*:([^:@]+)@.*|\1|' "$folder/amqp_url")
keep rabbitmq_user "$images" "default_user = tidings"$'\n'"default_pass = $password"$'\n'
keep redis_url "$services" "redis://:$(random_password)@redis:6379"
password=$(sed -E 's|.*:([^:@]+)@.*|\1|' "$folder/redis_url")
keep redis_user "$images" "requirepass $password"$'\n'
keep provider_token "$services" ''

[[ -s $folder/provider_token ]] ||
  echo "$folder/provider_token is empty: put in what the e-mail provider expects as a bearer token"
