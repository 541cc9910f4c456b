//! The facilities, and a physician of all of them; made through the product's own services.

use std::sync::Arc;

use anamnesis::access::{Actor, ContextParts, Purpose, RequestContext, Role};
use anamnesis::app::App;
use anamnesis::domains::facilities::model::{CreateFacility, FacilityKind, Profile, RoleGrant, Settings};
use anamnesis::domains::facilities::service as facilities;
use anamnesis::domains::identity::model::{NewAccount, SignIn, SignedIn};
use anamnesis::domains::identity::service as identity;
use anamnesis::error::Stop;
use anamnesis::ids::{FacilityId, SessionId, UserId};
use anamnesis::phi::Phi;
use uuid::Uuid;

use crate::Result;

/// How the physician signs in.
pub const EMAIL: &str = "physician@example.org";
pub const PASSWORD: &str = "nine slow barges on the canal";

/// Who was made.
pub struct People {
    pub facilities: Vec<FacilityId>,
    pub user: UserId,
    pub session: SessionId,
}

pub async fn make(app: &Arc<App>, count: usize) -> Result<People> {
    let platform = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, "benches");
    let (email, name) = (Phi::from(EMAIL), Phi::from("Robin Measurer"));
    let password = Phi::from(PASSWORD);
    let hashed = must(identity::prepare_password(&platform, "password", &password, &email, &name).await)?;
    let account = NewAccount {
        email,
        display_name: name,
        phone: None,
        password: Some(hashed),
        locale: None,
        time_zone: None,
        npi: None,
        license_number: None,
    };
    let user = must(identity::make_account(&platform, account).await)?;
    let mut made = Vec::with_capacity(count);
    for number in 1..=count {
        let profile = Profile {
            name: format!("Facility {number}"),
            kind: FacilityKind::Clinic,
            npi: None,
            address: None,
            phone: None,
            time_zone: "UTC".to_owned(),
        };
        let new = CreateFacility { profile, settings: Settings::default(), administrator: None };
        let facility = must(facilities::create_facility(&platform, new, None).await)?;
        let ctx = RequestContext::system(Arc::clone(app), facility, "benches");
        let role = RoleGrant { role: Role::Physician, department: None, primary: true };
        must(facilities::add_member(&ctx, user, vec![role], None).await)?;
        made.push(facility);
    }
    Ok(People { facilities: made, user, session: sign_in(app).await? })
}

async fn sign_in(app: &Arc<App>) -> Result<SessionId> {
    let parts = ContextParts {
        actor: Actor::Anonymous,
        facility: FacilityId::PLATFORM,
        purpose: Purpose::Treatment,
        request_id: Uuid::now_v7(),
        ip_address: None,
        user_agent: Some("benches".to_owned()),
    };
    let anyone = RequestContext::new(Arc::clone(app), parts);
    let input = SignIn { email: Phi::from(EMAIL), password: Phi::from(PASSWORD), device: Some("benches".to_owned()) };
    match must(identity::sign_in(&anyone, input).await)? {
        SignedIn::Tokens(tokens) => Ok(app.tokens.verify(tokens.access.token.reveal(), app.clock.now())?.session),
        SignedIn::Challenge(_) => Err("the physician has no second factor".into()),
    }
}

fn must<T, R: std::fmt::Debug>(outcome: std::result::Result<T, Stop<R>>) -> Result<T> {
    outcome.map_err(|stop| match stop {
        Stop::Error(error) => error.into(),
        Stop::Refused(refused) => format!("refused: {refused:?}").into(),
    })
}
