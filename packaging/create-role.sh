#!/bin/sh
# PostgreSQL's image runs this as the superuser when the volume is new. It creates the service's role and database. The role
# owns the database and is not a superuser, so SQL cannot read files or run programs.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
create role streamtally login password :'password';
create database streamtally owner streamtally;
-- The service knows this password. Without a password the superuser can connect only through the container's socket.
alter role current_user password null;
SQL
