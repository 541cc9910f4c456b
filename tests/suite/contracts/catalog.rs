//! The database's own catalogue: every table is protected, keyed, indexed and described.

use anamnesis::db::CONNECTION_SETUP;
use anamnesis::ids::TypedId as _;

use crate::harness::TestApp;

/// Tables of no tenant and no person: reference data and bookkeeping. The list may only shrink or be argued for.
const GLOBAL: &[&str] = &["__diesel_schema_migrations", "embedding_models", "icd10_codes", "replaceable_state"];

/// Classes a column comment begins with. What is `phi` is ciphertext.
const CLASSES: &[&str] = &["phi", "clinical", "identifier", "operational"];

async fn rows(app: &TestApp, query: &str) -> Vec<Vec<String>> {
    let rows = app.db_query(query).await;
    rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
}

/// One line for each row of a query that must find nothing.
async fn must_find_nothing(app: &TestApp, what: &str, query: &str) {
    let found: Vec<String> = rows(app, query).await.into_iter().map(|row| row.join(" ")).collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn global_list() -> String {
    GLOBAL.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn every_table_forces_row_level_security_and_has_a_policy() {
    let app = TestApp::start().await;
    must_find_nothing(
        &app,
        "tables without forced row-level security",
        &format!(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
             AND NOT (relrowsecurity AND relforcerowsecurity) AND relname NOT IN ({})",
            global_list()
        ),
    )
    .await;
    // A partition has none of its own: read directly it gives nothing.
    must_find_nothing(
        &app,
        "tables without a policy",
        &format!(
            "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
             AND NOT relispartition AND relname NOT IN ({}) AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)",
            global_list()
        ),
    )
    .await;
}

#[tokio::test]
async fn tenant_tables_lead_their_keys_with_the_tenant() {
    let app = TestApp::start().await;
    must_find_nothing(
        &app,
        "tenant tables whose primary key does not begin with facility_id",
        "SELECT c.relname FROM pg_class c JOIN pg_attribute f ON f.attrelid = c.oid AND f.attname = 'facility_id' \
         LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
         AND (k.oid IS NULL OR k.conkey[1] <> f.attnum)",
    )
    .await;
    must_find_nothing(
        &app,
        "foreign keys between tenant tables that do not carry the tenant",
        "SELECT k.conname FROM pg_constraint k \
         JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attname = 'facility_id' \
         JOIN pg_attribute g ON g.attrelid = k.confrelid AND g.attname = 'facility_id' \
         WHERE k.contype = 'f' AND NOT (f.attnum = ANY (k.conkey) AND g.attnum = ANY (k.confkey))",
    )
    .await;
}

#[tokio::test]
async fn every_foreign_key_has_an_index() {
    let app = TestApp::start().await;
    must_find_nothing(
        &app,
        "foreign keys without an index that begins with their columns",
        "SELECT k.conrelid::regclass, k.conname FROM pg_constraint k \
         WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND k.conparentid = 0 AND NOT EXISTS ( \
             SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND k.conkey <@ ( \
                 SELECT array_agg(a) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) a))",
    )
    .await;
}

#[tokio::test]
async fn every_table_and_column_says_what_it_is() {
    let app = TestApp::start().await;
    let tables = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                  AND c.relname <> '__diesel_schema_migrations'";
    must_find_nothing(
        &app,
        "tables without a comment",
        &format!("SELECT c.relname FROM pg_class c WHERE {tables} AND obj_description(c.oid, 'pg_class') IS NULL"),
    )
    .await;
    let classes = CLASSES.join("|");
    must_find_nothing(
        &app,
        "columns whose comment does not begin with their class",
        &format!(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
             AND NOT a.attisdropped WHERE {tables} AND coalesce(col_description(c.oid, a.attnum), '') !~ '^({classes}): .+'"
        ),
    )
    .await;
    must_find_nothing(
        &app,
        "columns of class phi that are not ciphertext",
        &format!(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
             WHERE {tables} AND col_description(c.oid, a.attnum) LIKE 'phi:%' \
             AND (a.atttypid <> 'bytea'::regtype OR a.attname !~ '_ciphertext$')"
        ),
    )
    .await;
}

#[tokio::test]
async fn the_server_role_owns_nothing_and_bypasses_nothing() {
    let app = TestApp::start().await;
    must_find_nothing(
        &app,
        "powers of the server role",
        "SELECT rolname FROM pg_roles WHERE rolname = 'anamnesis_server' \
         AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
    )
    .await;
    must_find_nothing(
        &app,
        "tables the server role owns",
        "SELECT relname FROM pg_class WHERE relowner = 'anamnesis_server'::regrole",
    )
    .await;
    must_find_nothing(
        &app,
        "ways for the server role to change or delete audit rows",
        "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = 'anamnesis_server' \
         AND table_name LIKE 'audit%' AND privilege_type NOT IN ('SELECT', 'INSERT')",
    )
    .await;
    must_find_nothing(
        &app,
        "functions that run as their owner without a fixed search path",
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef \
         AND NOT coalesce(array_to_string(proconfig, ','), '') LIKE '%search_path=%'",
    )
    .await;
}

#[tokio::test]
async fn without_a_bound_tenant_there_are_no_rows() {
    let app = TestApp::start().await;
    let client = app.member(&[anamnesis::access::Role::Administrator]).await;
    drop(client);
    let tables = rows(
        &app,
        &format!(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
             AND relname NOT IN ({}) AND has_table_privilege('anamnesis_server', oid, 'SELECT')",
            global_list()
        ),
    )
    .await;
    assert!(tables.len() > 30, "only {} tables are readable", tables.len());
    for table in tables {
        let table = &table[0];
        let seen = crate::harness::query_text(&app.database.server_url, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(seen[0][0].as_deref(), Some("0"), "{table} shows rows to nobody in particular");
    }
}

/// Plans a statement as the server on behalf of the system, without running it; gives what PostgreSQL has against it.
async fn planned(app: &TestApp, statement: &str) -> Result<(), String> {
    let (client, connection) =
        tokio_postgres::connect(&app.database.server_url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let script = format!(
        "{CONNECTION_SETUP}; BEGIN; SELECT bind_system('system', '{}', now()); EXPLAIN {statement}; ROLLBACK",
        app.facility.uuid()
    );
    let outcome = client.simple_query(&script).await.map(drop);
    outcome.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()))
}

/// What a policy asks once for each statement, such as all documents that are open, may be long: asked by the planner as
/// well, to guess rows, it would cost as much again for each table of each statement.
#[tokio::test]
async fn what_policies_ask_is_not_asked_while_planning() {
    let app = TestApp::start().await;
    let lists = rows(
        &app,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'app\\_%' \
         AND prorettype = 'uuid[]'::regtype AND pronargs = 0",
    )
    .await;
    assert!(lists.len() >= 4, "{lists:?}");
    for list in &lists {
        app.db_execute(&format!(
            "CREATE OR REPLACE FUNCTION {}() RETURNS uuid[] LANGUAGE plpgsql STABLE AS \
             $$ BEGIN RAISE EXCEPTION 'asked'; END $$",
            list[0]
        ))
        .await;
        // The measure itself: of the bare function the planner does ask.
        assert_eq!(planned(&app, &format!("SELECT unnest({}())", list[0])).await, Err("asked".to_owned()));
    }
    // Whatever the server may do with a table; to change it, by any column that it may change.
    let statements = rows(
        &app,
        "SELECT s.statement FROM pg_class c LEFT JOIN LATERAL (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid \
             AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
             AND has_column_privilege('anamnesis_server', c.oid, a.attnum, 'UPDATE') LIMIT 1) u ON true, LATERAL (VALUES \
             (has_table_privilege('anamnesis_server', c.oid, 'SELECT'), format('SELECT FROM %I', c.relname)), \
             (u.attname IS NOT NULL, format('UPDATE %I SET ', c.relname) || quote_ident(u.attname) || ' = DEFAULT'), \
             (has_table_privilege('anamnesis_server', c.oid, 'DELETE'), format('DELETE FROM %I', c.relname))) s (may, statement) \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND s.may",
    )
    .await;
    for kind in ["SELECT", "UPDATE", "DELETE"] {
        let of_kind = statements.iter().filter(|statement| statement[0].starts_with(kind)).count();
        assert!(of_kind > 20, "only {of_kind} tables for {kind}");
    }
    for statement in statements {
        assert_eq!(planned(&app, &statement[0]).await, Ok(()), "{}", statement[0]);
    }
}

#[tokio::test]
async fn constraint_names_are_the_interface_to_errors() {
    let app = TestApp::start().await;
    must_find_nothing(
        &app,
        "constraints whose name does not say table and kind",
        "SELECT conrelid::regclass, conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
         WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND NOT c.relispartition \
         AND c.relname <> '__diesel_schema_migrations' \
         AND conname !~ ('^' || c.relname || '_.*(pkey|key|fkey|check|excl)$') AND conname <> c.relname || '_pkey'",
    )
    .await;
}
