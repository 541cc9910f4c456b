//! What other domains ask of accounts and sessions inside their own transactions, whose action was authorized.

use std::collections::HashMap;

use diesel_async::AsyncPgConnection;

use crate::access::{Actor, Read, RequestContext};
use crate::domains::identity::repository::{accounts, sessions};
use crate::domains::identity::sealing;
use crate::error::Result;
use crate::ids::UserId;
use crate::phi::Phi;

/// The account that signs in with the address of this blind index ([`super::email_index`]). Only the identity and
/// system scopes see accounts that are in no facility of the caller's.
///
/// # Errors
/// A fault.
pub async fn find_by_email_index(db: &AsyncPgConnection, email_index: i64) -> Result<Option<UserId>> {
    Ok(accounts::credentials_by_email(db, email_index).await?.map(|account| account.id))
}

/// Whether the present session was begun with a second factor that is still on; `false` without a session.
///
/// # Errors
/// A fault.
pub async fn passed_second_factor(ctx: &RequestContext, db: &AsyncPgConnection) -> Result<bool> {
    let Actor::User { user, session } = ctx.parts().actor else { return Ok(false) };
    sessions::passed_second_factor(db, user, session).await
}

/// Names of those the caller may see. No read is noted: for what is compared and not shown, and for what is on record as a
/// whole.
///
/// # Errors
/// A fault.
pub async fn names_of(read: &Read, ids: &[UserId]) -> Result<HashMap<UserId, Phi<String>>> {
    let rows = accounts::find_all(read.db()?, ids).await?;
    let keys = read.platform_keys().await?;
    rows.into_iter().map(|row| Ok((row.id, sealing::open_owner(&keys, &row)?.display_name))).collect()
}
