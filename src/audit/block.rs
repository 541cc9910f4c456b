//! What a block of the chain is made of: hashes of rows, the hash over them, a signature.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::crypto::CryptoError;
use crate::crypto::signing::{Signature, SigningKey, SigningPurpose, VerifyingKeys};
use crate::db::sql;
use crate::error::Result;
use crate::ids::{FacilityId, TypedId as _};

/// Bytes of one entry: the row's id and its hash.
pub(super) const ENTRY_BYTES: usize = 16 + 32;
pub(super) const NO_HASH: [u8; 32] = [0; 32];

/// A row of the audit log, as it is hashed. Every column but the facility, which the block names.
#[derive(Debug, QueryableByName)]
pub(super) struct SealedRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    /// As text: the database's own type is read and compared in SQL only.
    #[diesel(sql_type = Text)]
    pub(super) transaction_id: String,
    #[diesel(sql_type = BigInt)]
    recorded_micros: i64,
    #[diesel(sql_type = Nullable<Text>)]
    rest: Option<String>,
}

impl SealedRow {
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(b"anamnesis audit row 1\0");
        digest.update(self.id.as_bytes());
        digest.update(self.recorded_micros.to_be_bytes());
        for part in [Some(self.transaction_id.as_str()), self.rest.as_deref()] {
            let part = part.unwrap_or_default();
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// Rows of a range of transactions of one epoch, in the order they are sealed. The columns are one JSON array of
/// text: PostgreSQL writes `jsonb` and UUIDs in one form only.
pub(super) async fn rows(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    epoch: i32,
    from: &str,
    to: &str,
) -> Result<Vec<SealedRow>> {
    Ok(sql("SELECT id, transaction_id::text AS transaction_id, \
             (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_micros, \
             jsonb_build_array(request_id, actor_kind, user_id, session_id, action, outcome, purpose, patient_id, \
                 resource_kind, resource_id, detail, ip_address)::text AS rest \
         FROM audit_log WHERE facility_id = $1 AND epoch = $2 \
             AND transaction_id >= $3::text::xid8 AND transaction_id < $4::text::xid8 \
         ORDER BY transaction_id, id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Integer, _>(epoch)
    .bind::<Text, _>(from)
    .bind::<Text, _>(to)
    .load(&mut db)
    .await?)
}

/// A block as stored.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct Block {
    #[diesel(sql_type = BigInt)]
    pub(super) number: i64,
    #[diesel(sql_type = Integer)]
    pub(super) epoch: i32,
    #[diesel(sql_type = Text)]
    pub(super) from_transaction: String,
    #[diesel(sql_type = Text)]
    pub(super) to_transaction: String,
    #[diesel(sql_type = Integer)]
    pub(super) row_count: i32,
    #[diesel(sql_type = Bytea)]
    pub(super) entries: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub(super) previous_hash: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub(super) hash: Vec<u8>,
    /// Names its key.
    #[diesel(sql_type = Text)]
    pub(super) signature: String,
    #[diesel(sql_type = Timestamptz)]
    pub(super) sealed_at: DateTime<Utc>,
}

const AFTER: &str = "SELECT number, epoch, from_transaction::text AS from_transaction, \
     to_transaction::text AS to_transaction, row_count, entries, previous_hash, hash, signature, sealed_at \
     FROM audit_blocks WHERE facility_id = $1 AND number > $2 ORDER BY number LIMIT 100";
const HEAD: &str = "SELECT number, epoch, from_transaction::text AS from_transaction, \
     to_transaction::text AS to_transaction, row_count, entries, previous_hash, hash, signature, sealed_at \
     FROM audit_blocks WHERE facility_id = $1 ORDER BY number DESC LIMIT 1";

impl Block {
    /// The hash over everything the block says.
    pub(super) fn compute_hash(&self, facility: FacilityId) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(b"anamnesis audit block 1\0");
        digest.update(facility.uuid().as_bytes());
        digest.update(self.number.to_be_bytes());
        digest.update(self.epoch.to_be_bytes());
        digest.update(self.row_count.to_be_bytes());
        digest.update(self.sealed_at.timestamp_micros().to_be_bytes());
        for part in
            [self.from_transaction.as_bytes(), self.to_transaction.as_bytes(), &self.previous_hash, &self.entries]
        {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// Id and hash of each row, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Uuid, &[u8])> {
        self.entries.chunks_exact(ENTRY_BYTES).filter_map(|entry| {
            let (id, hash) = entry.split_first_chunk::<16>()?;
            Some((Uuid::from_bytes(*id), hash))
        })
    }

    pub(super) fn signed_by(&self, keys: &VerifyingKeys) -> Result<(), CryptoError> {
        let signature: Signature = self.signature.parse()?;
        keys.verify(SigningPurpose::AuditBlock, &self.hash, &signature)
    }

    /// What is exported of the head of a chain.
    pub(super) fn checkpoint(&self, facility: FacilityId, key: &SigningKey) -> Result<Checkpoint, CryptoError> {
        let mut checkpoint = Checkpoint {
            facility: facility.uuid(),
            block: self.number,
            hash: hexadecimal(&self.hash),
            last_row: self.entries().last().map(|(id, _)| id).unwrap_or_default(),
            sealed_at: self.sealed_at,
            signature: String::new(),
        };
        checkpoint.signature = key.sign(SigningPurpose::AuditCheckpoint, &checkpoint.message())?.to_string();
        Ok(checkpoint)
    }
}

/// Up to a hundred blocks after a number, oldest first.
pub(super) async fn blocks_after(mut db: &AsyncPgConnection, facility: FacilityId, number: i64) -> Result<Vec<Block>> {
    Ok(sql(AFTER).bind::<SqlUuid, _>(facility).bind::<BigInt, _>(number).load(&mut db).await?)
}

/// The head of a chain.
pub(super) async fn head(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<Option<Block>> {
    let mut found: Vec<Block> = sql(HEAD).bind::<SqlUuid, _>(facility).load(&mut db).await?;
    Ok(found.pop())
}

/// The head of a facility's chain at a time, signed: kept elsewhere, it shows when the tail was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub facility: Uuid,
    /// Number of the head block.
    pub block: i64,
    /// Its hash, in hexadecimal.
    pub hash: String,
    /// The last row sealed.
    pub last_row: Uuid,
    pub sealed_at: DateTime<Utc>,
    /// Ed25519 by an audit key, with the key's id.
    pub signature: String,
}

impl Checkpoint {
    fn message(&self) -> Vec<u8> {
        let micros = self.sealed_at.timestamp_micros();
        format!("{}|{}|{}|{}|{micros}", self.facility, self.block, self.hash, self.last_row).into_bytes()
    }

    /// Whether one of our keys signed it.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`], or [`CryptoError::UnknownKey`].
    pub fn verify(&self, keys: &VerifyingKeys) -> Result<(), CryptoError> {
        let signature: Signature = self.signature.parse()?;
        keys.verify(SigningPurpose::AuditCheckpoint, &self.message(), &signature)
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
