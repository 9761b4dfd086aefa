# The image contains only the service; DATABASE_URL names its database. docker-compose.yml is an example, and docs/packaging.md
# has details.

# The oldest supported Rust, as in Cargo.toml.
FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
# The allocator needs make, which this image lacks. Any version in the base image's Debian fits.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
# Queries are checked against .sqlx, because the build has no database.
ENV SQLX_OFFLINE=true
COPY . .
# The caches keep the dependencies for the next build. They are not part of the image, so the program is copied out of them.
# cargo treats files older than the cache as unchanged: hence the touch.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch src/lib.rs src/main.rs crates/*/src/lib.rs \
    && cargo build --release --locked \
    && cp target/release/streamtally /usr/local/bin/

# The same Debian as the builder, because the program is linked with its libc.
FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="streamtally" \
    org.opencontainers.image.description="Keeps every live push that Huawei Cloud Live reports, and answers what is live and for how long" \
    org.opencontainers.image.version="0.1.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 streamtally \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/streamtally --shell /usr/sbin/nologin \
        streamtally \
    && install -d -m 0700 -o streamtally -g streamtally /var/lib/streamtally
COPY --from=builder /usr/local/bin/streamtally /usr/local/bin/streamtally
# A number, so that an orchestrator can verify that it is not root.
USER 10001:10001
WORKDIR /var/lib/streamtally
ENV STREAMTALLY_DATA_DIR=/var/lib/streamtally \
    STREAMTALLY_LISTEN=0.0.0.0:8080
# Holds the spool: callbacks received while the database is unreachable. The only folder that is written.
VOLUME ["/var/lib/streamtally"]
EXPOSE 8080
# Uses STREAMTALLY_LISTEN and STREAMTALLY_TLS_CERT: environment variables, unlike flags, apply to this command, too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["streamtally", "health"]
ENTRYPOINT ["streamtally"]
CMD ["serve"]
