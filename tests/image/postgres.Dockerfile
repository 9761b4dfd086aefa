# In the place of the image postgres: Debian's PostgreSQL, with the folders and the user of that image.
ARG base
FROM $base
# /var/run is no link to /run here, as it is in the base image: where a container's root is read-only, Podman's API, unlike
# Docker's, mounts a file system over /run, and so over what is mounted below.
RUN groupadd --gid 999 postgres \
    && useradd --uid 999 --gid 999 --no-create-home --home-dir /var/lib/postgresql postgres \
    && mkdir -p /etc/postgresql-common/createcluster.d \
    && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/image.conf \
    && echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/image \
    && apt-get update -q \
    && apt-get install -q -y --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir /docker-entrypoint-initdb.d \
    && install -d -m 1777 -o postgres -g postgres /var/lib/postgresql/data \
    && rm /var/run \
    && install -d -m 3777 -o postgres -g postgres /var/run/postgresql
COPY postgres.sh /usr/local/bin/postgres.sh
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PGDATA=/var/lib/postgresql/data
VOLUME ["/var/lib/postgresql/data"]
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres.sh"]
CMD ["postgres"]
