//! Every column that is encrypted, with the statements that rotate it.
//!
//! The list is written out, because the name of a column is part of its ciphertexts; that it is complete is
//! compared with the database's catalogue before any key is removed.

use crate::crypto::ColumnId;

/// A column, or the part of one, that holds ciphertext.
#[derive(Debug)]
pub(super) struct SealedColumn {
    pub(super) id: ColumnId,
    /// Name in the database; `None` for a part of another column.
    pub(super) name: Option<&'static str>,
    /// Of logins, which belong to no facility and are encrypted under the platform's key.
    pub(super) global: bool,
    /// Values not under the version: `$1` facility, `$2` after which row, `$3` version as 4 bytes, `$4` how many.
    pub(super) select: &'static str,
    /// `$1` facility, `$2` rows, `$3` their values.
    pub(super) update: &'static str,
}

/// Columns of tenant tables: the row is the row's `id`, the key the facility's.
macro_rules! tenant {
    ($table:literal, $column:literal) => {
        SealedColumn {
            id: ColumnId::new($table, $column),
            name: Some(concat!($column, "_ciphertext")),
            global: false,
            select: concat!(
                "SELECT id AS row_id, ", $column, "_ciphertext AS sealed FROM ", $table,
                " WHERE facility_id = $1 AND id > $2 AND substring(", $column, "_ciphertext FROM 2 FOR 4) <> $3 \
                 ORDER BY id LIMIT $4 FOR NO KEY UPDATE"
            ),
            update: concat!(
                "UPDATE ", $table, " SET ", $column, "_ciphertext = fresh.sealed \
                 FROM unnest($2::uuid[], $3::bytea[]) AS fresh (row_id, sealed) WHERE facility_id = $1 AND id = fresh.row_id"
            ),
        }
    };
}

/// Columns of logins.
macro_rules! global {
    ($table:literal, $row:literal, $column:literal) => {
        SealedColumn {
            id: ColumnId::new($table, $column),
            name: Some(concat!($column, "_ciphertext")),
            global: true,
            select: concat!(
                "SELECT ",
                $row,
                " AS row_id, ",
                $column,
                "_ciphertext AS sealed FROM ",
                $table,
                " WHERE $1::uuid IS NOT NULL AND ",
                $row,
                " > $2 AND substring(",
                $column,
                "_ciphertext FROM 2 FOR 4) <> $3 ORDER BY ",
                $row,
                " LIMIT $4 FOR NO KEY UPDATE"
            ),
            update: concat!(
                "UPDATE ",
                $table,
                " SET ",
                $column,
                "_ciphertext = fresh.sealed \
                 FROM unnest($2::uuid[], $3::bytea[]) AS fresh (row_id, sealed) \
                 WHERE $1::uuid IS NOT NULL AND ",
                $row,
                " = fresh.row_id"
            ),
        }
    };
}

/// The tokens that queued mail carries, in base64 within the payload.
const QUEUED_TOKENS: SealedColumn = SealedColumn {
    id: ColumnId::new("jobs", "payload"),
    name: None,
    global: false,
    select: "SELECT id AS row_id, decode(payload ->> 'token', 'base64') AS sealed FROM jobs \
        WHERE facility_id = $1 AND id > $2 AND substring(decode(payload ->> 'token', 'base64') FROM 2 FOR 4) <> $3 \
        ORDER BY id LIMIT $4 FOR NO KEY UPDATE",
    // PostgreSQL breaks base64 into lines, the server does not.
    update: "UPDATE jobs SET payload = jsonb_set(payload, '{token}', \
            to_jsonb(replace(encode(fresh.sealed, 'base64'), chr(10), ''))) \
        FROM unnest($2::uuid[], $3::bytea[]) AS fresh (row_id, sealed) WHERE facility_id = $1 AND id = fresh.row_id",
};

pub(super) const ALL: &[SealedColumn] = &[
    global!("users", "id", "email"),
    global!("users", "id", "display_name"),
    global!("users", "id", "phone"),
    global!("user_totp", "user_id", "secret"),
    tenant!("facility_invitations", "email"),
    QUEUED_TOKENS,
    tenant!("patients", "mrn"),
    tenant!("patients", "given_name"),
    tenant!("patients", "middle_name"),
    tenant!("patients", "family_name"),
    tenant!("patients", "preferred_name"),
    tenant!("patients", "birth_date"),
    tenant!("patients", "ssn"),
    tenant!("patients", "phone"),
    tenant!("patients", "email"),
    tenant!("patients", "address"),
    tenant!("patient_contacts", "name"),
    tenant!("patient_contacts", "phone"),
    tenant!("patient_contacts", "email"),
    tenant!("patient_coverages", "member_number"),
    tenant!("patient_coverages", "group_number"),
    tenant!("patient_coverages", "subscriber_name"),
    tenant!("patient_visits", "reason"),
    tenant!("patient_visits", "notes"),
    tenant!("patient_visits", "vitals"),
    tenant!("patient_visits", "medications"),
    tenant!("patient_allergies", "substance"),
    tenant!("patient_allergies", "reaction"),
    tenant!("break_glass_accesses", "reason"),
    tenant!("break_glass_accesses", "review_note"),
    tenant!("documents", "title"),
    tenant!("documents", "file_name"),
    tenant!("documents", "file_key"),
    tenant!("documents", "body"),
    tenant!("documents", "fields"),
    tenant!("document_versions", "title"),
    tenant!("document_versions", "body"),
    tenant!("document_versions", "fields"),
    tenant!("amendment_requests", "request"),
    tenant!("amendment_requests", "extension"),
    tenant!("amendment_requests", "decision"),
    tenant!("document_chunks", "text"),
    tenant!("document_holds", "reason"),
    tenant!("document_holds", "release_reason"),
    tenant!("upload_batch_files", "file_name"),
    tenant!("record_exports", "file_key"),
    tenant!("saved_searches", "name"),
    tenant!("saved_searches", "search"),
    tenant!("conversations", "title"),
    tenant!("conversations", "tags"),
    tenant!("conversations", "hold_reason"),
    tenant!("messages", "body"),
    tenant!("message_versions", "body"),
    tenant!("message_drafts", "body"),
    tenant!("conversation_memories", "fact"),
    tenant!("whatsapp_integrations", "access_token"),
    tenant!("whatsapp_integrations", "app_secret"),
    tenant!("whatsapp_contacts", "phone"),
    tenant!("whatsapp_contacts", "name"),
];

/// Table and column, as in the database, of every column that a rotation re-encrypts.
pub fn sealed_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().filter_map(|column| Some((column.id.table(), column.name?)))
}
