//! The handwritten handler for comparison. Verifies; adds a row to a log and upserts the session in one transaction per
//! request. Small but fair: prepared statements, a tuned pool, and no unnecessary work.

use std::path::Path;

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use private_postgres::{LockHolder, Options, PrivatePostgres};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use streamtally::huawei::notification::{self, Event};
use streamtally::huawei::signature::{self, SignedFields, SigningKey};
use streamtally::model::access::FieldSeparator;

use crate::service::KEY;

/// Chosen after trials with 8, 16, 32 and 64.
const CONNECTIONS: u32 = 16;

const TABLES: &str = "
    create table if not exists message (
        message_id bigint generated always as identity primary key,
        received_at timestamptz not null default now(),
        domain text not null, app text not null, stream text not null, publish_timestamp bigint not null,
        event text not null, client_ip text, node_ip text, user_args text, auth_timestamp bigint, auth_sign text
    );
    create table if not exists session (
        domain text not null, app text not null, stream text not null, publish_timestamp bigint not null,
        started_at timestamptz, ended_at timestamptz,
        primary key (domain, app, stream, publish_timestamp)
    );
    create index if not exists session_live on session (domain) where ended_at is null;";

const INSERT: &str = "insert into message (domain, app, stream, publish_timestamp, event, client_ip, node_ip, user_args, auth_timestamp, auth_sign)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const START: &str =
    "insert into session (domain, app, stream, publish_timestamp, started_at) values ($1, $2, $3, $4, to_timestamp($4))
    on conflict (domain, app, stream, publish_timestamp) do update set started_at = excluded.started_at";

const END: &str = "insert into session (domain, app, stream, publish_timestamp, ended_at) values ($1, $2, $3, $4, now())
    on conflict (domain, app, stream, publish_timestamp) do update set ended_at = least(session.ended_at, excluded.ended_at)";

/// Serves until killed.
///
/// # Errors
/// The database cannot be created, or the address is in use.
pub async fn serve(data_dir: &Path, listen: &str) -> anyhow::Result<()> {
    let private = PrivatePostgres::open(&Options {
        data_dir: data_dir.to_owned(),
        bin: None,
        holder: LockHolder::Serve,
        parameters: Vec::new(),
    })?;
    let pool =
        PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(crate::service::options_of(&private)).await?;
    sqlx::raw_sql(TABLES).execute(&pool).await?;
    let key = Data::new(SigningKey::new(KEY));
    let pool = Data::new(pool);
    HttpServer::new(move || {
        App::new()
            .app_data(pool.clone())
            .app_data(key.clone())
            .route("/readyz", web::get().to(HttpResponse::Ok))
            .route("/callbacks/huawei", web::post().to(receive))
    })
    .workers(2)
    .bind(listen)?
    .run()
    .await?;
    private.stop()?;
    Ok(())
}

async fn receive(pool: Data<PgPool>, key: Data<SigningKey>, body: Bytes) -> HttpResponse {
    let Ok(message) = notification::parse(&body) else { return HttpResponse::BadRequest().finish() };
    let fields = SignedFields {
        event: message.event.word(),
        domain: &message.domain,
        app: &message.app,
        stream: &message.stream,
        auth_timestamp: message.auth_timestamp.unwrap_or_default(),
    };
    let sign = message.auth_sign.as_deref().and_then(signature::from_hex);
    if !sign.is_some_and(|sign| signature::verify(&key, FieldSeparator::default(), &fields, &sign)) {
        return HttpResponse::Unauthorized().finish();
    }
    match keep(&pool, &message).await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "status": 1, "result": "success" })),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn keep(pool: &PgPool, message: &notification::Notification) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query(INSERT)
        .bind(&message.domain)
        .bind(&message.app)
        .bind(&message.stream)
        .bind(message.publish_timestamp)
        .bind(message.event.word())
        .bind(&message.client_ip)
        .bind(&message.node_ip)
        .bind(&message.user_args)
        .bind(message.auth_timestamp)
        .bind(&message.auth_sign)
        .execute(&mut *transaction)
        .await?;
    let upsert = match message.event {
        Event::Publish => START,
        _ => END,
    };
    sqlx::query(upsert)
        .bind(&message.domain)
        .bind(&message.app)
        .bind(&message.stream)
        .bind(message.publish_timestamp)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
