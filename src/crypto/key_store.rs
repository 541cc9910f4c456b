//! Keys of facilities, unwrapped once and kept while their epoch lasts.
//!
//! A facility's epoch is read with every session and raised when its keys change, so that rotation and
//! shredding take effect on every node at the next request, without a message between nodes.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Bytea, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use moka::sync::Cache;

use super::blind_index::IndexKey;
use super::envelope::{Binding, KeyPurpose, MasterKeys};
use super::field::{DataKey, DataKeys, FieldCipher};
use super::keyring::Keyring;
use super::{CryptoError, Key32};
use crate::db::sql;
use crate::error::{Error, Result};
use crate::ids::{FacilityId, TypedId as _};

/// Facilities whose keys are kept unwrapped.
const CACHED_FACILITIES: u64 = 10_000;
/// The platform's keys are read from within other facilities, whose sessions do not see its epoch.
pub const PLATFORM_KEPT: Duration = Duration::from_mins(1);

/// The unwrapped keys of a facility.
#[derive(Debug)]
pub struct FacilityKeys {
    /// Encrypts and decrypts its columns.
    pub fields: FieldCipher,
    /// Makes its blind indexes.
    pub index: IndexKey,
}

/// Unwraps and keeps facility keys.
#[derive(Debug)]
pub struct KeyStore {
    masters: RwLock<Arc<MasterKeys>>,
    /// Read again when a key is wrapped under a master key that is not known yet: it was rotated elsewhere.
    ring: Option<PathBuf>,
    cache: Cache<(FacilityId, i32), Arc<FacilityKeys>>,
    platform: Cache<(), Arc<FacilityKeys>>,
}

#[derive(QueryableByName)]
struct WrappedKey {
    #[diesel(sql_type = Text)]
    purpose: String,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Bytea)]
    wrapped_key: Vec<u8>,
    #[diesel(sql_type = Text)]
    master_key_id: String,
    #[diesel(sql_type = Text)]
    state: String,
}

impl KeyStore {
    /// A store over the master keys of the ring, and the file it came from.
    #[must_use]
    pub fn new(keyring: &Keyring, ring: Option<PathBuf>) -> Self {
        Self {
            masters: RwLock::new(Arc::new(keyring.master_keys())),
            ring,
            cache: Cache::new(CACHED_FACILITIES),
            platform: Cache::builder().time_to_live(PLATFORM_KEPT).max_capacity(1).build(),
        }
    }

    fn masters(&self) -> Arc<MasterKeys> {
        Arc::clone(&self.masters.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Master keys among which is the one of this id.
    fn masters_with(&self, id: &str) -> Result<Arc<MasterKeys>, CryptoError> {
        let known = self.masters();
        match (known.by_id(id).map(|_| ()), &self.ring) {
            (Err(CryptoError::UnknownKey { .. }), Some(ring)) => {
                let fresh = Arc::new(Keyring::load(ring)?.master_keys());
                fresh.by_id(id)?;
                *self.masters.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
                Ok(fresh)
            }
            (found, _) => found.map(|()| known),
        }
    }

    /// Id of the master key that wraps.
    pub(crate) fn active_master(&self) -> String {
        self.masters().active().id().to_owned()
    }

    /// Forgets every unwrapped key.
    pub(crate) fn forget(&self) {
        self.cache.invalidate_all();
        self.platform.invalidate_all();
    }

    /// Keys of the facility the connection is bound to.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they are shredded; a fault when they do not unwrap.
    pub(crate) async fn of(
        &self,
        facility: FacilityId,
        epoch: i32,
        db: &AsyncPgConnection,
    ) -> Result<Arc<FacilityKeys>> {
        if let Some(keys) = self.cache.get(&(facility, epoch)) {
            return Ok(keys);
        }
        let keys = self.load(facility, db).await?;
        self.cache.insert((facility, epoch), Arc::clone(&keys));
        Ok(keys)
    }

    /// Keys of the platform, from within any session.
    ///
    /// # Errors
    /// A fault when they do not unwrap.
    pub(crate) async fn platform(&self, db: &AsyncPgConnection) -> Result<Arc<FacilityKeys>> {
        if let Some(keys) = self.platform.get(&()) {
            return Ok(keys);
        }
        let keys = self.load(FacilityId::PLATFORM, db).await?;
        self.platform.insert((), Arc::clone(&keys));
        Ok(keys)
    }

    async fn load(&self, facility: FacilityId, mut db: &AsyncPgConnection) -> Result<Arc<FacilityKeys>> {
        let rows: Vec<WrappedKey> =
            sql("SELECT purpose, version, wrapped_key, master_key_id, state FROM facility_keys \
             WHERE facility_id = $1 ORDER BY state, version DESC")
            .bind::<SqlUuid, _>(facility)
            .load(&mut db)
            .await?;
        let (mut active, mut older, mut index) = (None, Vec::new(), None);
        for row in rows {
            let purpose = KeyPurpose::parse(&row.purpose).ok_or_else(|| Error::internal("unknown key purpose"))?;
            let version = u32::try_from(row.version).map_err(Error::internal)?;
            let binding = Binding { facility: facility.uuid(), purpose, version };
            let key =
                self.masters_with(&row.master_key_id)?.by_id(&row.master_key_id)?.unwrap(&row.wrapped_key, &binding)?;
            match (purpose, row.state.as_str()) {
                (KeyPurpose::Index, _) => index = Some(IndexKey::of_facility(&key, facility.uuid())?),
                (KeyPurpose::Data, "active") => active = Some(DataKey::new(version, &key)),
                (KeyPurpose::Data, _) => older.push(DataKey::new(version, &key)),
            }
        }
        match (active, index) {
            (Some(active), Some(index)) => Ok(Arc::new(FacilityKeys {
                fields: FieldCipher::new(facility.uuid(), DataKeys::new(active, older)),
                index,
            })),
            // Shredded: what was encrypted is gone, and says so to nobody.
            _ => Err(Error::NotFound),
        }
    }

    /// Makes the first keys of a facility unless it has some. Two processes at once make them once.
    ///
    /// # Errors
    /// As [`KeyStore::create`].
    pub(crate) async fn ensure(
        &self,
        facility: FacilityId,
        now: chrono::DateTime<chrono::Utc>,
        mut db: &AsyncPgConnection,
    ) -> Result<()> {
        sql("SELECT id FROM facilities WHERE id = $1 FOR UPDATE").bind::<SqlUuid, _>(facility).execute(&mut db).await?;
        let present = sql("SELECT version FROM facility_keys WHERE facility_id = $1")
            .bind::<SqlUuid, _>(facility)
            .execute(&mut db)
            .await?;
        if present == 0 { self.create(facility, now, db).await } else { Ok(()) }
    }

    /// Makes the first keys of a facility, in the transaction that makes the facility.
    ///
    /// # Errors
    /// When there is no randomness, or the database refuses.
    pub(crate) async fn create(
        &self,
        facility: FacilityId,
        now: chrono::DateTime<chrono::Utc>,
        db: &AsyncPgConnection,
    ) -> Result<()> {
        for purpose in [KeyPurpose::Data, KeyPurpose::Index] {
            self.insert(facility, purpose, 1, "active", now, db).await?;
        }
        Ok(())
    }

    /// Makes the next version of the data key, known and not used yet; gives its number.
    ///
    /// # Errors
    /// When there is no randomness, or the database refuses.
    pub(crate) async fn add_data_key(
        &self,
        facility: FacilityId,
        now: chrono::DateTime<chrono::Utc>,
        mut db: &AsyncPgConnection,
    ) -> Result<i32> {
        let next: NextVersion = sql("SELECT coalesce(max(version), 0) + 1 AS version FROM facility_keys \
             WHERE facility_id = $1 AND purpose = 'data'")
        .bind::<SqlUuid, _>(facility)
        .get_result(&mut db)
        .await?;
        self.insert(facility, KeyPurpose::Data, next.version, "retiring", now, db).await?;
        Ok(next.version)
    }

    async fn insert(
        &self,
        facility: FacilityId,
        purpose: KeyPurpose,
        version: i32,
        state: &'static str,
        now: chrono::DateTime<chrono::Utc>,
        mut db: &AsyncPgConnection,
    ) -> Result<()> {
        let masters = self.masters();
        let master = masters.active();
        let bound = u32::try_from(version).map_err(Error::internal)?;
        let wrapped =
            master.wrap(&Key32::generate()?, &Binding { facility: facility.uuid(), purpose, version: bound })?;
        sql(
            "INSERT INTO facility_keys (facility_id, purpose, version, wrapped_key, master_key_id, state, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind::<SqlUuid, _>(facility)
        .bind::<Text, _>(purpose.as_str())
        .bind::<Integer, _>(version)
        .bind::<Bytea, _>(wrapped)
        .bind::<Text, _>(master.id())
        .bind::<Text, _>(state)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
        Ok(())
    }

    /// Wraps the keys of a facility under the active master key; gives how many were under another.
    ///
    /// # Errors
    /// When a key does not unwrap, or the database refuses.
    pub(crate) async fn rewrap(&self, facility: FacilityId, mut db: &AsyncPgConnection) -> Result<usize> {
        let rows: Vec<WrappedKey> =
            sql("SELECT purpose, version, wrapped_key, master_key_id, state FROM facility_keys \
             WHERE facility_id = $1 ORDER BY purpose, version FOR UPDATE")
            .bind::<SqlUuid, _>(facility)
            .load(&mut db)
            .await?;
        let mut rewrapped = 0;
        for row in rows {
            let purpose = KeyPurpose::parse(&row.purpose).ok_or_else(|| Error::internal("unknown key purpose"))?;
            let version = u32::try_from(row.version).map_err(Error::internal)?;
            let binding = Binding { facility: facility.uuid(), purpose, version };
            let masters = self.masters_with(&row.master_key_id)?;
            let Some(wrapped) = masters.rewrap(&row.master_key_id, &row.wrapped_key, &binding)? else { continue };
            sql("UPDATE facility_keys SET wrapped_key = $4, master_key_id = $5 \
                 WHERE facility_id = $1 AND purpose = $2 AND version = $3")
            .bind::<SqlUuid, _>(facility)
            .bind::<Text, _>(&row.purpose)
            .bind::<Integer, _>(row.version)
            .bind::<Bytea, _>(wrapped)
            .bind::<Text, _>(masters.active().id())
            .execute(&mut db)
            .await?;
            rewrapped += 1;
        }
        Ok(rewrapped)
    }
}

#[derive(QueryableByName)]
struct NextVersion {
    #[diesel(sql_type = Integer)]
    version: i32,
}
