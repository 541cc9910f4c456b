//! `src/db/schema.rs` is printed from the migrated database. With `UPDATE=1` this writes it.

use std::fmt::Write as _;

use crate::harness::TestApp;

const COLUMNS: &str = "SELECT c.relname, a.attname, a.attnotnull, t.typname, coalesce(col_description(c.oid, a.attnum), ''), \
    coalesce(obj_description(c.oid, 'pg_class'), ''), \
    (SELECT string_agg(x.attname, ', ' ORDER BY k.n) FROM pg_constraint p \
     CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY k(num, n) \
     JOIN pg_attribute x ON x.attrelid = p.conrelid AND x.attnum = k.num WHERE p.conrelid = c.oid AND p.contype = 'p') \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
    AND a.attnum > 0 AND NOT a.attisdropped AND c.relname NOT IN ('replaceable_state', '__diesel_schema_migrations') \
    ORDER BY c.relname, a.attnum";

fn rust_type(sql: &str) -> &'static str {
    match sql {
        "uuid" => "Uuid",
        "text" => "Text",
        "bytea" => "Bytea",
        "int2" => "SmallInt",
        "int4" => "Integer",
        "int8" => "BigInt",
        "float4" => "Float",
        "float8" => "Double",
        "bool" => "Bool",
        "timestamptz" => "Timestamptz",
        "date" => "Date",
        "jsonb" => "Jsonb",
        "halfvec" => "crate::embedding::halfvec::Halfvec",
        "xid8" => "crate::db::xid8::Xid8",
        "_uuid" => "Array<Uuid>",
        "_text" => "Array<Text>",
        other => panic!("teach schema_rs the type {other}"),
    }
}

async fn printed(app: &TestApp) -> String {
    let mut text =
        String::from("// Printed from the migrated database; a test prints it again and compares. Do not edit.\n");
    let mut table = String::new();
    for row in app.db_query(COLUMNS).await {
        let cell = |index: usize| row[index].clone().unwrap_or_default();
        if cell(0) != table {
            if !table.is_empty() {
                text.push_str("    }\n}\n");
            }
            table = cell(0);
            let _ = write!(text, "\ndiesel::table! {{\n    /// {}\n    {table} ({}) {{\n", cell(5), cell(6));
        }
        let kind = rust_type(&cell(3));
        let kind = if cell(2) == "t" { kind.to_owned() } else { format!("Nullable<{kind}>") };
        let _ = write!(text, "        /// {}\n        {} -> {kind},\n", cell(4), cell(1));
    }
    text.push_str("    }\n}\n");
    text
}

#[tokio::test]
async fn schema_rs_is_what_the_database_says() {
    let app = TestApp::start().await;
    let printed = printed(&app).await;
    super::compare_or_update("src/db/schema.rs", &printed);
}
