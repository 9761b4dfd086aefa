# The image holds the service alone: its database is elsewhere, named by DATABASE_URL. docker-compose.yml shows how.

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
# The allocator is built by make, which this image lacks.
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
# Queries are checked against .sqlx, for there is no database here.
ENV SQLX_OFFLINE=true
COPY . .
# The caches spare the next build the dependencies. They are no part of the image, so the program is copied out. Files
# that are older than the cache look unchanged to cargo, whatever is in them: hence the touch.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch src/lib.rs src/main.rs \
    && cargo build --release --locked \
    && cp target/release/streamtally /usr/local/bin/

# The same Debian as the builder's: the program is linked with its libc.
FROM debian:bookworm-slim
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
EXPOSE 8080
ENTRYPOINT ["streamtally"]
CMD ["serve"]
