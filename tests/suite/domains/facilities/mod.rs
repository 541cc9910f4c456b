//! Facilities, their members and invitations, through the API.

mod administrators;
mod choice;
mod denials;
mod invitations;
mod members;
mod profile;
mod roles;

use anamnesis::access::{PlatformRole, Role};
use anamnesis::domains::facilities::model::RoleGrant;
use anamnesis::domains::identity::model::NewAccount;
use anamnesis::domains::{facilities, identity};
use anamnesis::ids::{FacilityId, JobId, MemberId, TypedId as _, UserId};
use anamnesis::jobs::Job;
use anamnesis::phi::Phi;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, TestApp};

/// Someone who works in a facility, signed in to it.
struct Staff {
    client: Client,
    user: UserId,
    member: MemberId,
}

impl Staff {
    fn id(&self) -> String {
        self.member.encode()
    }
}

/// An account with a name and an address of its own.
async fn account(app: &TestApp, email: &str, name: &str) -> UserId {
    let new = NewAccount {
        email: Phi::from(email),
        display_name: Phi::from(name),
        phone: None,
        password: None,
        locale: None,
        time_zone: None,
        npi: None,
        license_number: None,
    };
    identity::service::make_account(&app.system(FacilityId::PLATFORM), new).await.unwrap()
}

fn address_of(name: &str) -> String {
    format!("{}@example.org", name.to_lowercase().replace(' ', "."))
}

async fn staff_of(app: &TestApp, facility: FacilityId, name: &str, roles: &[Role]) -> Staff {
    let user = account(app, &address_of(name), name).await;
    let grants =
        roles.iter().enumerate().map(|(at, role)| RoleGrant { role: *role, department: None, primary: at == 0 });
    let member = facilities::service::add_member(&app.system(facility), user, grants.collect(), None).await.unwrap();
    Staff { client: app.signed_in(user, facility).await, user, member }
}

/// A member of the facility under test.
async fn staff(app: &TestApp, name: &str, roles: &[Role]) -> Staff {
    staff_of(app, app.facility, name, roles).await
}

async fn administrator(app: &TestApp) -> Staff {
    staff(app, "Ada Bell", &[Role::Administrator]).await
}

/// An administrator of the platform, with no facility chosen.
async fn super_admin(app: &TestApp) -> Client {
    let user = account(app, "root@platform.example.org", "Ottoline Braithe").await;
    let system = app.system(FacilityId::PLATFORM);
    identity::service::grant_platform_role(&system, user, PlatformRole::SuperAdmin).await.unwrap();
    app.signed_in(user, FacilityId::PLATFORM).await
}

/// Makes the sessions of a user ones begun with a second factor.
async fn db_second_factor(app: &TestApp, user: UserId) {
    let user = user.uuid();
    app.db_execute(&format!(
        "UPDATE user_sessions SET second_factor = true WHERE user_id = '{user}'; \
         INSERT INTO user_totp (user_id, secret_ciphertext, confirmed_at, created_at) VALUES ('{user}', '', now(), now())"
    ))
    .await;
}

/// Code of the first user error of a mutation that was refused and gave nothing else.
#[track_caller]
fn refused(answer: Answer, mutation: &str) -> String {
    let data = answer.ok();
    let payload = data[mutation].as_object().unwrap_or_else(|| panic!("no {mutation} in {data}"));
    let given: Vec<_> = payload.iter().filter(|(name, value)| *name != "userErrors" && !value.is_null()).collect();
    assert!(given.is_empty(), "refused, but gave {given:?}");
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("not refused: {data}")).to_owned()
}

/// The payload of a mutation that was done.
#[track_caller]
fn done(answer: Answer, mutation: &str) -> Value {
    let mut data = answer.ok();
    let payload = data[mutation].take();
    assert_eq!(payload["userErrors"], json!([]), "refused: {payload}");
    payload
}

/// Everything the domain keeps, as one number: what was refused must leave it as it was.
async fn state(app: &TestApp) -> String {
    let tables =
        ["facilities", "facility_members", "member_roles", "facility_invitations", "facility_keys", "users", "jobs"];
    let sums: Vec<String> = tables
        .iter()
        .map(|table| format!("(SELECT coalesce(string_agg(md5(t::text), '' ORDER BY t::text), '') FROM {table} t)"))
        .collect();
    app.db_value(&format!("SELECT md5({})", sums.join(" || "))).await
}

/// Rows of a facility's audit log of one action and outcome.
async fn audited(app: &TestApp, facility: FacilityId, action: &str, outcome: &str) -> String {
    let facility = facility.uuid();
    app.db_value(&format!(
        "SELECT count(*) FROM audit_log WHERE facility_id = '{facility}' AND action = '{action}' AND outcome = '{outcome}'"
    ))
    .await
}

/// The token in the newest invitation mail of a facility, opened as the worker would; `None` when the mail is not
/// to be sent any more.
async fn mailed_token(app: &TestApp, facility: FacilityId) -> Option<String> {
    let row = app
        .db_query(&format!(
            "SELECT id, payload FROM jobs WHERE facility_id = '{}' AND kind = 'mail.invitation' ORDER BY id DESC LIMIT 1",
            facility.uuid()
        ))
        .await
        .remove(0);
    let text = |at: usize| row[at].clone().unwrap();
    let job = Job {
        facility,
        id: JobId::from_uuid(text(0).parse().unwrap()),
        kind: facilities::mail::INVITATION.to_owned(),
        payload: serde_json::from_str(&text(1)).unwrap(),
        attempt: 1,
        max_attempts: 8,
        user: None,
    };
    let ctx = app.system(facility);
    let mail = facilities::mail::invitation(&ctx, &job).await.unwrap();
    ctx.finish().await.unwrap();
    mail.map(|mail| mail.token.into_revealed())
}
