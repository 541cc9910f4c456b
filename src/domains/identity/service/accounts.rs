//! Accounts: made, read, changed.

use chrono::TimeDelta;
use futures::try_join;
use serde_json::json;

use crate::access::{Actor, Once, PlatformRole, Read, RequestContext, Subject, Tx};
use crate::crypto::blind_index::TermKind;
use crate::domains::identity::model::{NewAccount, NewUser, Refusal, UpdateUser, User, UserChanges, Viewer};
use crate::domains::identity::repository::{accounts, resets, second_factor as factors, sessions, throttles};
use crate::domains::identity::sealing::{self, Extent};
use crate::domains::identity::{policy, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, UserId, new_id};
use crate::phi::Phi;

/// How long after its end a token, challenge or reset is kept.
const KEPT_DAYS: i64 = 7;

/// The blind index of a sign-in address, under the lookup key of the installation. What is no address has one
/// too, which no account has.
#[must_use]
pub fn email_index(ctx: &RequestContext, email: &Phi<String>) -> i64 {
    ctx.app().lookup.term(TermKind::LoginEmail, validation::login(email).reveal_str()).hash
}

/// How much of an account a reader may see.
fn extent(read: &Read, me: Option<UserId>, id: UserId) -> Extent {
    if me == Some(id) || me.is_none() || read.may(&policy::CONTACTS_READ) || read.may(&policy::ACCOUNTS_READ) {
        Extent::Contacts
    } else {
        Extent::Name
    }
}

/// One account: one's own, or of someone in the same facility.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may see.
pub async fn user(ctx: &RequestContext, id: UserId) -> Result<User> {
    users_by_ids(ctx, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Accounts by id, those the caller may see, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn users_by_ids(ctx: &RequestContext, ids: &[UserId]) -> Result<Vec<User>> {
    let read = ctx.read(&policy::USERS_READ).await?;
    let rows = accounts::find_all(read.db()?, ids).await?;
    let keys = read.platform_keys().await?;
    let me = ctx.user().ok();
    rows.into_iter().map(|row| sealing::open_user(ctx, &keys, extent(&read, me, row.id), row)).collect()
}

/// Whoever is signed in, and their session.
///
/// # Errors
/// [`Error::Unauthenticated`] when nobody is.
pub async fn viewer(ctx: &RequestContext) -> Result<Viewer> {
    let read = ctx.read(&policy::VIEWER).await?;
    let Actor::User { user: id, session } = ctx.parts().actor else { return Err(Error::Unauthenticated) };
    let db = read.db()?;
    let (row, platform_roles, session, second_factor, recovery_codes_left) = try_join!(
        accounts::find(db, id),
        accounts::platform_roles(db, id),
        sessions::find(db, session),
        factors::is_on(db, id),
        factors::recovery_codes_left(db, id),
    )?;
    let (row, session) = row.zip(session).ok_or(Error::Unauthenticated)?;
    Ok(Viewer {
        user: sealing::open_user(ctx, &*read.platform_keys().await?, Extent::Contacts, row)?,
        platform_roles,
        session,
        facility: Some(ctx.facility()).filter(|facility| *facility != FacilityId::PLATFORM),
        second_factor,
        recovery_codes_left,
    })
}

/// Changes one's own account.
///
/// # Errors
/// Refused when a value is malformed or the account changed since it was read.
pub async fn update_user(
    ctx: &RequestContext,
    update: UpdateUser,
    once: Option<Once>,
) -> Result<UserId, Stop<Refusal>> {
    ctx.write(&policy::USER_UPDATE)
        .once(once)
        .run(|tx| async move {
            let (id, expected_version) = (tx.ctx().user()?, update.expected_version);
            let changes = validation::changes(update)?;
            let names = changes.names();
            let keys = tx.platform_keys().await?;
            let sealed = UserChanges {
                display_name_ciphertext: match &changes.display_name {
                    Some(name) => Some(sealing::seal_display_name(&keys, id, name)?),
                    None => None,
                },
                phone_ciphertext: match changes.phone.as_opt_ref() {
                    Some(phone) => Some(sealing::seal_phone(&keys, id, phone)?),
                    None => None,
                },
                npi: changes.npi.into(),
                license_number: changes.license_number.into(),
                locale: changes.locale,
                time_zone: changes.time_zone,
            };
            if !accounts::update_if_version(tx.db()?, id, expected_version, &sealed, tx.ctx().now()).await? {
                return Err(Stop::refuse(
                    Refusal::StaleVersion,
                    &["input", "expectedVersion"],
                    "the account changed since it was read",
                ));
            }
            tx.audit(Subject::of(id), json!({ "changed": names }));
            Ok(id)
        })
        .await
}

/// Makes an account in a transaction of the caller's: an invitation accepted, a command. The transaction's
/// action is what the audit log names.
///
/// # Errors
/// Refused when a value is malformed or the address has an account.
pub async fn create_account(tx: &Tx, new: NewAccount) -> Result<UserId, Stop<Refusal>> {
    let values = validation::account(&new)?;
    let (ctx, now) = (tx.ctx(), tx.ctx().now());
    let keys = tx.platform_keys().await?;
    let id: UserId = new_id();
    let row = NewUser {
        id,
        email_ciphertext: sealing::seal_email(&keys, id, &values.email)?,
        email_index: email_index(ctx, &values.email),
        display_name_ciphertext: sealing::seal_display_name(&keys, id, &values.display_name)?,
        phone_ciphertext: sealing::seal_phone(&keys, id, values.phone.as_ref())?,
        password_changed_at: new.password.as_ref().map(|_| now),
        password_hash: new.password.map(|hash| hash.as_str().to_owned()),
        npi: values.npi,
        license_number: values.license_number,
        locale: values.locale,
        time_zone: values.time_zone,
        created_at: now,
        updated_at: now,
    };
    accounts::insert(tx.db()?, row).await?;
    Ok(id)
}

/// Makes an account on behalf of an operator: `ctx` is a system context of the platform.
///
/// # Errors
/// Those of [`create_account`]; [`Error::Forbidden`] for anyone but the system.
pub async fn make_account(ctx: &RequestContext, new: NewAccount) -> Result<UserId, Stop<Refusal>> {
    ctx.write(&policy::ACCOUNT_CREATE)
        .run(|tx| async move {
            let id = create_account(&tx, new).await?;
            tx.audit(Subject::of(id), json!({}));
            Ok(id)
        })
        .await
}

/// Gives an account a role on the platform, on behalf of an operator: `ctx` is a system context of the platform.
///
/// # Errors
/// [`Error::NotFound`] when there is no such account; [`Error::Forbidden`] for anyone but the system.
pub async fn grant_platform_role(ctx: &RequestContext, user: UserId, role: PlatformRole) -> Result<(), Stop<Refusal>> {
    ctx.write(&policy::ACCOUNT_CREATE)
        .run(|tx| async move {
            let db = tx.db()?;
            accounts::find(db, user).await?.ok_or(Error::NotFound)?;
            accounts::grant_platform_role(db, user, role, tx.ctx().now()).await?;
            tx.audit(Subject::of(user), json!({ "granted": role.as_str() }));
            Ok(())
        })
        .await
}

/// Deletes what has run out some days ago, and says how many rows. For a regular job of the platform.
///
/// # Errors
/// A fault; [`Error::Forbidden`] for anyone but the system.
pub async fn sweep(ctx: &RequestContext) -> Result<usize, Stop<Refusal>> {
    ctx.write(&policy::SWEEP)
        .run(|tx| async move {
            let db = tx.db()?;
            let before = tx.ctx().now() - TimeDelta::days(KEPT_DAYS);
            let deleted = sessions::delete_tokens_before(db, before).await?
                + factors::delete_challenges_before(db, before).await?
                + resets::delete_before(db, before).await?
                + throttles::clear_before(db, before).await?;
            tx.audit(Subject::default(), json!({ "rows": deleted }));
            Ok(deleted)
        })
        .await
}
