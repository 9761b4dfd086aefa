# The image holds the service alone: its database is elsewhere, named by DATABASE_URL. docker-compose.yml shows how, and
# docs/packaging.md says more.

# The oldest Rust that builds it, as Cargo.toml has it.
FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
# The allocator is built by make, which this image lacks. Whatever version the base's Debian has is the one that fits it.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
# Queries are checked against .sqlx, for there is no database here.
ENV SQLX_OFFLINE=true
COPY . .
# The caches spare the next build the dependencies. They are no part of the image, so the program is copied out. Files
# that are older than the cache look unchanged to cargo, whatever is in them: hence the touch.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch src/lib.rs src/main.rs crates/*/src/lib.rs \
    && cargo build --release --locked \
    && cp target/release/streamtally /usr/local/bin/

# The same Debian as the builder's: the program is linked with its libc.
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
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/streamtally
ENV STREAMTALLY_DATA_DIR=/var/lib/streamtally \
    STREAMTALLY_LISTEN=0.0.0.0:8080
# Received messages wait here while the database is away: the only folder that is written.
VOLUME ["/var/lib/streamtally"]
EXPOSE 8080
# Asks where STREAMTALLY_LISTEN and STREAMTALLY_TLS_CERT say: settings of the environment, unlike flags, hold for both.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["streamtally", "health"]
ENTRYPOINT ["streamtally"]
CMD ["serve"]
