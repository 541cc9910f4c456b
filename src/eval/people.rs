//! Who measures: facilities, and a physician who works in them, made through the product's own services. For `eval` and
//! for the benches; their databases are scratch.

use std::sync::Arc;

use uuid::Uuid;

use crate::access::{Actor, ContextParts, Purpose, RequestContext, Role};
use crate::app::App;
use crate::domains::facilities::model::{CreateFacility, FacilityKind, Profile, RoleGrant, Settings};
use crate::domains::facilities::service as facilities;
use crate::domains::identity::model::{NewAccount, SignIn, SignedIn};
use crate::domains::identity::service as identity;
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, SessionId, UserId};
use crate::phi::Phi;

/// How a physician who measures signs in.
#[derive(Debug, Clone, Copy)]
pub struct Physician {
    pub email: &'static str,
    pub password: &'static str,
    /// What is measured with, for the audit log.
    pub with: &'static str,
}

impl Physician {
    /// The account.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn make(&self, app: &Arc<App>) -> Result<UserId> {
        let platform = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, self.with);
        let (email, name) = (Phi::from(self.email), Phi::from("Robin Measurer"));
        let password = Phi::from(self.password);
        let password =
            must("password", identity::prepare_password(&platform, "password", &password, &email, &name).await)?;
        let account = NewAccount {
            email,
            display_name: name,
            phone: None,
            password: Some(password),
            locale: None,
            time_zone: None,
            npi: None,
            license_number: None,
        };
        must("account", identity::make_account(&platform, account).await)
    }

    /// A facility in which the account works.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn facility(&self, app: &Arc<App>, user: UserId, name: String) -> Result<FacilityId> {
        let platform = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, self.with);
        let profile = Profile {
            name,
            kind: FacilityKind::Clinic,
            npi: None,
            address: None,
            phone: None,
            time_zone: "UTC".to_owned(),
        };
        let new = CreateFacility { profile, settings: Settings::default(), administrator: None };
        let facility = must("facility", facilities::create_facility(&platform, new, None).await)?;
        self.join(app, user, facility).await?;
        Ok(facility)
    }

    /// Work in a facility that is there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn join(&self, app: &Arc<App>, user: UserId, facility: FacilityId) -> Result<()> {
        let ctx = RequestContext::system(Arc::clone(app), facility, self.with);
        let role = RoleGrant { role: Role::Physician, department: None, primary: true };
        must("membership", facilities::add_member(&ctx, user, vec![role], None).await)?;
        Ok(())
    }

    /// Signs in.
    ///
    /// # Errors
    /// When there is no such account, or the database refuses.
    pub async fn sign_in(&self, app: &Arc<App>) -> Result<(UserId, SessionId)> {
        let anyone = self.context(app, Actor::Anonymous, FacilityId::PLATFORM);
        let device = Some(self.with.to_owned());
        let input = SignIn { email: Phi::from(self.email), password: Phi::from(self.password), device };
        match must("sign-in", identity::sign_in(&anyone, input).await)? {
            SignedIn::Tokens(tokens) => {
                let bearer = app.tokens.verify(tokens.access.token.reveal(), app.clock.now())?;
                Ok((bearer.user, bearer.session))
            }
            SignedIn::Challenge(_) => Err(Error::internal("whoever measures knows no second factor")),
        }
    }

    /// A context of theirs in a facility.
    ///
    /// # Errors
    /// As [`Physician::sign_in`].
    pub async fn at_work(&self, app: &Arc<App>, facility: FacilityId) -> Result<RequestContext> {
        let (user, session) = self.sign_in(app).await?;
        Ok(self.context(app, Actor::User { user, session }, facility))
    }

    fn context(&self, app: &Arc<App>, actor: Actor, facility: FacilityId) -> RequestContext {
        let parts = ContextParts {
            actor,
            facility,
            purpose: Purpose::Treatment,
            request_id: Uuid::now_v7(),
            ip_address: None,
            user_agent: Some(self.with.to_owned()),
        };
        RequestContext::new(Arc::clone(app), parts)
    }
}

/// Everything here is ours: a refusal is a fault in it.
pub(super) fn must<T, R: std::fmt::Debug>(what: &str, outcome: Result<T, Stop<R>>) -> Result<T> {
    outcome.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Refused(refused) => {
            let codes: Vec<String> = refused.iter().map(|one| format!("{:?} {:?}", one.code, one.field)).collect();
            Error::internal(format!("the {what} was refused: {}", codes.join(", ")))
        }
    })
}
