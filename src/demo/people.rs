//! Facilities, staff, and their sign-ins.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{data, must};
use crate::access::{Actor, ContextParts, Purpose, RequestContext};
use crate::app::App;
use crate::domains::facilities::model::{Address, CreateFacility, FacilityKind, Profile, RoleGrant, Settings};
use crate::domains::facilities::service as facilities;
use crate::domains::identity::model::{NewAccount, SignIn, SignedIn};
use crate::domains::identity::service as identity;
use crate::error::{Error, Result};
use crate::ids::{FacilityId, UserId};
use crate::phi::Phi;

/// The password of everyone in the demo.
pub const PASSWORD: &str = "a quiet harbour at dusk";

/// Who is where.
pub(super) struct World {
    app: Arc<App>,
    pub(super) facilities: HashMap<String, FacilityId>,
    users: HashMap<String, UserId>,
    sessions: HashMap<String, Actor>,
}

impl World {
    pub(super) fn facility(&self, key: &str) -> Result<FacilityId> {
        self.facilities.get(key).copied().ok_or_else(|| Error::internal("the demo names an unknown facility"))
    }

    pub(super) fn user(&self, key: &str) -> Result<UserId> {
        self.users.get(key).copied().ok_or_else(|| Error::internal("the demo names an unknown person"))
    }

    /// A context of the server in a facility, for what came before the demo began.
    pub(super) fn import(&self, facility: &str) -> Result<RequestContext> {
        Ok(RequestContext::system(Arc::clone(&self.app), self.facility(facility)?, "demo"))
    }

    /// A context of a person at work in a facility.
    pub(super) fn as_person(&self, person: &str, facility: &str) -> Result<RequestContext> {
        let actor = *self.sessions.get(person).ok_or_else(|| Error::internal("the demo names an unknown person"))?;
        Ok(context(&self.app, actor, self.facility(facility)?))
    }
}

fn context(app: &Arc<App>, actor: Actor, facility: FacilityId) -> RequestContext {
    let parts = ContextParts {
        actor,
        facility,
        purpose: Purpose::Treatment,
        request_id: Uuid::now_v7(),
        ip_address: None,
        user_agent: Some("demo".to_owned()),
    };
    RequestContext::new(Arc::clone(app), parts)
}

/// Makes facilities, accounts and memberships, and signs everyone in.
pub(super) async fn load(app: &Arc<App>, data: &data::Data) -> Result<World> {
    let mut world =
        World { app: Arc::clone(app), facilities: HashMap::new(), users: HashMap::new(), sessions: HashMap::new() };
    let platform = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, "demo");
    for facility in &data.facilities {
        let id = must("facility", facilities::create_facility(&platform, new_facility(facility)?, None).await)?;
        world.facilities.insert(facility.key.clone(), id);
    }
    for person in &data.people {
        let user = account(&platform, person).await?;
        world.users.insert(person.key.clone(), user);
        for role in &person.platform_roles {
            must("platform role", identity::grant_platform_role(&platform, user, *role).await)?;
        }
        for membership in &person.memberships {
            let ctx = world.import(&membership.facility)?;
            let roles = membership
                .roles
                .iter()
                .map(|held| RoleGrant { role: held.role, department: held.department.clone(), primary: held.primary })
                .collect();
            let title = Some(membership.title.clone());
            must("membership", facilities::add_member(&ctx, user, roles, title).await)?;
        }
        world.sessions.insert(person.key.clone(), sign_in(app, person).await?);
    }
    Ok(world)
}

fn new_facility(facility: &data::Facility) -> Result<CreateFacility> {
    let kind = FacilityKind::parse(&facility.kind).ok_or_else(|| Error::internal("the demo names an unknown kind"))?;
    Ok(CreateFacility {
        profile: Profile {
            name: facility.name.clone(),
            kind,
            npi: Some(facility.npi.clone()),
            address: Some(Address {
                line1: facility.address.line1.clone(),
                line2: facility.address.line2.clone(),
                city: facility.address.city.clone(),
                state: facility.address.state.clone(),
                zip_code: facility.address.zip_code.clone(),
            }),
            phone: Some(facility.phone.clone()),
            time_zone: facility.time_zone.clone(),
        },
        settings: Settings {
            restrict_therapists_to_own_patients: facility.settings.restrict_therapists_to_own_patients,
            ..Settings::default()
        },
        administrator: None,
    })
}

fn display_name(person: &data::Person) -> Phi<String> {
    let name = format!("{} {}", person.given_name, person.family_name);
    Phi::new(person.credentials.as_ref().map_or(name.clone(), |credentials| format!("{name}, {credentials}")))
}

async fn account(platform: &RequestContext, person: &data::Person) -> Result<UserId> {
    let (email, name) = (Phi::from(person.email.as_str()), display_name(person));
    let password = Phi::from(PASSWORD);
    let password = must("password", identity::prepare_password(platform, "password", &password, &email, &name).await)?;
    let new = NewAccount {
        email,
        display_name: name,
        phone: Some(Phi::from(person.phone.as_str())),
        password: Some(password),
        locale: None,
        time_zone: Some(person.time_zone.clone()),
        npi: person.npi.clone(),
        license_number: person.license_number.clone(),
    };
    must("account", identity::make_account(platform, new).await)
}

async fn sign_in(app: &Arc<App>, person: &data::Person) -> Result<Actor> {
    let ctx = context(app, Actor::Anonymous, FacilityId::PLATFORM);
    let input = SignIn {
        email: Phi::from(person.email.as_str()),
        password: Phi::from(PASSWORD),
        device: Some("demo".to_owned()),
    };
    match must("sign-in", identity::sign_in(&ctx, input).await)? {
        SignedIn::Tokens(tokens) => {
            let bearer = app.tokens.verify(tokens.access.token.reveal(), app.clock.now())?;
            Ok(Actor::User { user: bearer.user, session: bearer.session })
        }
        SignedIn::Challenge(_) => Err(Error::internal("nobody in the demo has a second factor")),
    }
}
