#!/bin/sh
# For PostgreSQL's image, which runs it as the superuser when the volume is new: makes the service's role and database. The role
# owns the database and is no superuser, so that SQL reads no files and runs no programs.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
create role streamtally login password :'password';
create database streamtally owner streamtally;
-- The service knows this password. Without one the superuser connects through the container's socket alone.
alter role current_user password null;
SQL
