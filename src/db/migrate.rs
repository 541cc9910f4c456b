//! Migrations: tables as state, functions and policies as code that is re-applied as a whole.

use diesel::QueryableByName;
use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use sha2::{Digest as _, Sha256};

use super::{open, sql};
use crate::config::Secret;
use crate::error::{Error, Result};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Functions and policies, in the order they are applied.
const REPLACEABLE: &[&str] = &[
    include_str!("replaceable/10_context.sql"),
    include_str!("replaceable/20_identity.sql"),
    include_str!("replaceable/30_facilities.sql"),
    include_str!("replaceable/35_events.sql"),
    include_str!("replaceable/40_patients.sql"),
    include_str!("replaceable/45_notifications.sql"),
    include_str!("replaceable/50_documents.sql"),
    include_str!("replaceable/60_saved_searches.sql"),
    include_str!("replaceable/70_chat.sql"),
    include_str!("replaceable/75_assistants.sql"),
    include_str!("replaceable/76_whatsapp.sql"),
    include_str!("replaceable/80_portal.sql"),
];

/// Months of audit partitions kept ahead.
const AUDIT_MONTHS_AHEAD: &str = "SELECT audit_log_ensure_partitions((now() - interval '1 month')::date, 14)";

#[derive(QueryableByName)]
struct State {
    #[diesel(sql_type = Nullable<Text>)]
    hash: Option<String>,
}

/// Takes back what may stand between a migration and its way down: policies that look at other tables.
const DROP_REPLACEABLE: &str = "
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT polname, polrelid::regclass AS target FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        WHERE c.relnamespace = 'public'::regnamespace AND polname <> 'tenant' LOOP
        EXECUTE format('DROP POLICY %I ON %s', found.polname, found.target);
    END LOOP;
    DELETE FROM replaceable_state;
END $$";

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Versions applied now, oldest first.
    pub applied: Vec<String>,
    /// Whether functions and policies were applied anew.
    pub replaced: bool,
}

/// SHA-256 of the functions and policies this build carries, in hexadecimal.
#[must_use]
pub fn replaceable_hash() -> String {
    let digest = REPLACEABLE.iter().fold(Sha256::new(), sha2::Digest::chain_update);
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn owner_connection(owner_url: &Secret) -> Result<AsyncPgConnection> {
    open(owner_url.reveal()).await.map_err(|error| Error::Unavailable(error.into()))
}

/// Brings the database up to this build, as the owner of the schema. Needs a multi-threaded runtime.
///
/// # Errors
/// When the database cannot be reached or a migration fails; each migration is its own transaction.
pub async fn up(owner_url: &Secret) -> Result<Migrated> {
    let mut harness = AsyncMigrationHarness::new(owner_connection(owner_url).await?);
    let applied = tokio::task::block_in_place(|| {
        harness
            .run_pending_migrations(MIGRATIONS)
            .map(|versions| versions.iter().map(ToString::to_string).collect::<Vec<_>>())
    })
    .map_err(Error::Internal)?;
    let mut connection = harness.into_inner();
    let replaced = replace(&mut connection).await?;
    connection.batch_execute(AUDIT_MONTHS_AHEAD).await?;
    Ok(Migrated { applied, replaced })
}

/// Takes every migration back, newest first. For tests and for development.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn down_all(owner_url: &Secret) -> Result<usize> {
    let mut connection = owner_connection(owner_url).await?;
    connection.batch_execute(DROP_REPLACEABLE).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    tokio::task::block_in_place(|| harness.revert_all_migrations(MIGRATIONS).map(|versions| versions.len()))
        .map_err(Error::Internal)
}

/// Versions this build carries that the database lacks.
///
/// # Errors
/// When the database cannot be reached.
pub async fn pending(owner_url: &Secret) -> Result<Vec<String>> {
    let mut harness = AsyncMigrationHarness::new(owner_connection(owner_url).await?);
    tokio::task::block_in_place(|| {
        harness
            .pending_migrations(MIGRATIONS)
            .map(|pending| pending.iter().map(|migration| migration.name().version().to_string()).collect())
    })
    .map_err(Error::Internal)
}

async fn replace(connection: &mut AsyncPgConnection) -> Result<bool> {
    let hash = replaceable_hash();
    let state: State = sql("SELECT max(hash) AS hash FROM replaceable_state").get_result(&mut &*connection).await?;
    if state.hash.as_deref() == Some(hash.as_str()) {
        return Ok(false);
    }
    // One batch is one transaction: half a set of policies is never in force.
    let statements = format!(
        "BEGIN;\n{}\nINSERT INTO replaceable_state (hash) VALUES ('{hash}') \
         ON CONFLICT (only_row) DO UPDATE SET hash = excluded.hash, applied_at = now();\nCOMMIT;",
        REPLACEABLE.join("\n")
    );
    connection.batch_execute(&statements).await?;
    Ok(true)
}
