-- Run once by psql as the superuser, when PostgreSQL's volume is empty: the services own their database and nothing else.
\set password `cat /run/secrets/tidings_password`
CREATE ROLE tidings LOGIN PASSWORD :'password';
CREATE DATABASE tidings OWNER tidings;
\connect tidings
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
