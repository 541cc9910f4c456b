//! SQL of accounts and their platform roles.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::access::PlatformRole;
use crate::db::schema::{platform_roles, users};
use crate::domains::identity::model::{CredentialsRow, NewUser, Refusal, UserChanges, UserRow};
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::UserId;

pub(in crate::domains::identity) async fn find(mut db: &AsyncPgConnection, id: UserId) -> Result<Option<UserRow>> {
    Ok(users::table.find(id).select(UserRow::as_select()).first(&mut db).await.optional()?)
}

pub(in crate::domains::identity) async fn find_all(mut db: &AsyncPgConnection, ids: &[UserId]) -> Result<Vec<UserRow>> {
    Ok(users::table.filter(users::id.eq_any(ids)).select(UserRow::as_select()).load(&mut db).await?)
}

/// The account that signs in with an address.
pub(in crate::domains::identity) async fn credentials_by_email(
    mut db: &AsyncPgConnection,
    email_index: i64,
) -> Result<Option<CredentialsRow>> {
    Ok(users::table
        .filter(users::email_index.eq(email_index))
        .select(CredentialsRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::identity) async fn credentials(
    mut db: &AsyncPgConnection,
    id: UserId,
) -> Result<Option<CredentialsRow>> {
    Ok(users::table.find(id).select(CredentialsRow::as_select()).first(&mut db).await.optional()?)
}

/// The same, held until the end of the transaction. Rows that refer to the account can still be made.
pub(in crate::domains::identity) async fn lock_credentials(
    mut db: &AsyncPgConnection,
    id: UserId,
) -> Result<Option<CredentialsRow>> {
    Ok(users::table.find(id).select(CredentialsRow::as_select()).for_no_key_update().first(&mut db).await.optional()?)
}

pub(in crate::domains::identity) async fn insert(
    mut db: &AsyncPgConnection,
    new: NewUser,
) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(users::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("users_email_key") => {
            Err(Stop::refuse(Refusal::EmailTaken, &["input", "email"], "an account with this e-mail address exists"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes an account that is still at the version read.
pub(in crate::domains::identity) async fn update_if_version(
    mut db: &AsyncPgConnection,
    id: UserId,
    expected_version: i32,
    changes: &UserChanges,
    now: DateTime<Utc>,
) -> Result<bool> {
    let target = users::table.find(id).filter(users::version.eq(expected_version));
    let touched = diesel::update(target)
        .set((changes, users::version.eq(expected_version + 1), users::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(touched == 1)
}

pub(in crate::domains::identity) async fn set_password(
    mut db: &AsyncPgConnection,
    id: UserId,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(users::table.find(id))
        .set((users::password_hash.eq(hash), users::password_changed_at.eq(now), users::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Records a sign-in, with the same password hashed anew where the parameters have changed.
pub(in crate::domains::identity) async fn signed_in(
    mut db: &AsyncPgConnection,
    id: UserId,
    rehashed: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let target = users::table.find(id);
    match rehashed {
        Some(hash) => {
            diesel::update(target)
                .set((users::last_signed_in_at.eq(now), users::password_hash.eq(hash)))
                .execute(&mut db)
                .await?
        }
        None => diesel::update(target).set(users::last_signed_in_at.eq(now)).execute(&mut db).await?,
    };
    Ok(())
}

pub(in crate::domains::identity) async fn platform_roles(
    mut db: &AsyncPgConnection,
    id: UserId,
) -> Result<Vec<PlatformRole>> {
    Ok(platform_roles::table
        .filter(platform_roles::user_id.eq(id))
        .order(platform_roles::role)
        .select(platform_roles::role)
        .load(&mut db)
        .await?)
}

pub(in crate::domains::identity) async fn grant_platform_role(
    mut db: &AsyncPgConnection,
    id: UserId,
    role: PlatformRole,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(platform_roles::table)
        .values((platform_roles::user_id.eq(id), platform_roles::role.eq(role), platform_roles::granted_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(&mut db)
        .await?;
    Ok(())
}
