//! The request context and its two doors to the database.

mod write;

use std::sync::{Arc, Weak};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::access::{Action, Actor, ContextParts, Granted, PlatformRole, Purpose, Role, Subject};
use crate::app::App;
use crate::audit::{Entry, Outcome, Reads, Who};
use crate::crypto::FacilityKeys;
use crate::crypto::signed_url::{LinkClaims, LinkPurpose};
use crate::db::{Binding, Bound, Lent, Mode, PatientScope, Session};
use crate::error::{Error, Result};
use crate::events::NewEvent;
use crate::ids::{FacilityId, MemberId, TypedId as _, UserId};

pub use write::Write;

/// How long a link opens what it leads to.
const LINK_MINUTES: i64 = 5;

/// The first argument of every operation. Cheap to clone.
#[derive(Clone)]
pub struct RequestContext {
    inner: Arc<Inner>,
}

struct Inner {
    app: Arc<App>,
    parts: ContextParts,
    session: Mutex<Held>,
    reads: Reads,
}

/// The request's read session, and the connection of its last transaction.
#[derive(Default)]
struct Held {
    open: Option<Arc<Session>>,
    lent: Weak<Lent>,
}

impl Held {
    fn take(&mut self) -> Option<Arc<Session>> {
        self.open.take()
    }
}

impl std::fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestContext")
            .field("actor", &self.inner.parts.actor)
            .field("facility", &self.inner.parts.facility)
            .finish_non_exhaustive()
    }
}

impl RequestContext {
    #[must_use]
    pub fn new(app: Arc<App>, parts: ContextParts) -> Self {
        Self { inner: Arc::new(Inner { app, parts, session: Mutex::default(), reads: Reads::default() }) }
    }

    /// The same request as nobody and in no facility: for a sign-in, whatever token came with it. Reads of its
    /// own are ended by its own [`RequestContext::finish`].
    #[must_use]
    pub fn as_anonymous(&self) -> Self {
        let parts =
            ContextParts { actor: Actor::Anonymous, facility: FacilityId::PLATFORM, ..self.inner.parts.clone() };
        Self::new(Arc::clone(&self.inner.app), parts)
    }

    /// A context for work of the server itself in one facility. The reason is audited.
    #[must_use]
    pub fn system(app: Arc<App>, facility: FacilityId, reason: &'static str) -> Self {
        Self::new(
            app,
            ContextParts {
                actor: Actor::System { reason },
                facility,
                purpose: Purpose::Operations,
                request_id: Uuid::now_v7(),
                ip_address: None,
                user_agent: None,
            },
        )
    }

    /// The same request for another purpose, which a deed has whatever the request said. It has a session and
    /// notes of its own: finish this one before, and the other afterwards.
    #[must_use]
    pub fn for_purpose(&self, purpose: Purpose) -> Self {
        Self::new(Arc::clone(&self.inner.app), ContextParts { purpose, ..self.inner.parts.clone() })
    }

    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.inner.app
    }

    #[must_use]
    pub fn parts(&self) -> &ContextParts {
        &self.inner.parts
    }

    #[must_use]
    pub fn facility(&self) -> FacilityId {
        self.inner.parts.facility
    }

    /// The present instant by the clock of the server.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.app.clock.now()
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in.
    pub fn user(&self) -> Result<UserId> {
        match self.inner.parts.actor {
            Actor::User { user, .. } => Ok(user),
            Actor::Anonymous | Actor::System { .. } => Err(Error::Unauthenticated),
        }
    }

    /// The same caller with reads of its own: for what goes on while the answer is under way.
    #[must_use]
    pub(crate) fn beside(&self) -> Self {
        Self::new(Arc::clone(&self.inner.app), self.inner.parts.clone())
    }

    /// The token of a link by which this user, in this session, can fetch an object for five minutes without a header. It
    /// opens nothing by itself: whoever follows the link is asked for the permission again.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in.
    pub(crate) fn download_token(&self, object: Uuid) -> Result<String> {
        let Actor::User { user, session } = self.inner.parts.actor else { return Err(Error::Unauthenticated) };
        let claims = LinkClaims {
            purpose: LinkPurpose::Download,
            document: object,
            facility: self.facility().uuid(),
            user: user.uuid(),
            session: session.uuid(),
        };
        Ok(self.app().links.issue(&claims, self.now(), TimeDelta::minutes(LINK_MINUTES))?)
    }

    fn binding(&self) -> Binding {
        let facility = self.inner.parts.facility;
        match self.inner.parts.actor {
            Actor::Anonymous => Binding::Identity,
            Actor::User { user, session } => Binding::User { facility, user, session },
            Actor::System { .. } => Binding::System { facility },
        }
    }

    /// The read door: opens the request's one read session, or joins it, once the action is allowed.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`]; [`Error::Unavailable`] without a connection.
    pub fn read(&self, action: &'static Action) -> BoxFuture<'_, Result<Read>> {
        // Boxed, as are the other doors: every resolver's future holds one, and types that deep cost the compiler
        // minutes.
        async move {
            let session = self.session_for(action).await.map_err(|error| self.denied(action, error))?;
            Ok(Read { ctx: self.clone(), session })
        }
        .boxed()
    }

    async fn session_for(&self, action: &'static Action) -> Result<Arc<Session>> {
        self.precheck(action)?;
        let session = self.read_session().await?;
        self.authorize(action, session.bound())?;
        Ok(session)
    }

    /// The request's one read session, opened by whoever comes first.
    async fn read_session(&self) -> Result<Arc<Session>> {
        let mut held = self.inner.session.lock().await;
        if let Some(session) = &held.open {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.begin(&mut held, Mode::Read, self.binding()).await?);
        held.open = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Begins a transaction, on the connection of the last one where a [`Read`] or a [`Tx`] still holds that.
    async fn begin(&self, held: &mut Held, mode: Mode, binding: Binding) -> Result<Session> {
        let session = Session::open_on(&held.lent, &self.inner.app.database, mode, binding, self.now()).await?;
        held.lent = session.lent();
        Ok(session)
    }

    /// The write door. Nothing happens until [`Write::run`].
    pub fn write(&self, action: &'static Action) -> Write {
        Write { ctx: self.clone(), action, once: None }
    }

    /// Notes that an object was shown; written when the request ends.
    pub fn note_read(&self, subject: Subject) {
        self.inner.reads.note(subject);
    }

    /// Notes an audit row of its own; written when the request ends.
    pub fn note(&self, action: &'static Action, subject: Subject, detail: Value) {
        self.inner.reads.push(Entry { action: action.name, outcome: Outcome::Success, subject, detail });
    }

    /// Puts a denial on record, in the log of the facility the request is bound to, else of the platform; any
    /// other error it leaves alone. The doors do this by themselves; it is for a denial spoken before one.
    ///
    /// Strangers cannot fill the log with it: the edge counts requests by address before it reads them
    /// (`src/http/rate.rs`), an operation has a limited number of fields, and a request leaves one row for each
    /// action denied, however often it asked.
    #[must_use]
    pub fn denied(&self, action: &'static Action, error: Error) -> Error {
        if matches!(error, Error::Unauthenticated | Error::Forbidden(_)) {
            self.inner.reads.deny(action.name);
        }
        error
    }

    /// The signed-in user, for what an operation does before it opens a door.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`], which is on record then.
    pub fn user_for(&self, action: &'static Action) -> Result<UserId> {
        self.precheck(action).and_then(|()| self.user()).map_err(|error| self.denied(action, error))
    }

    fn who(&self) -> Who<'_> {
        let parts = &self.inner.parts;
        Who {
            actor: &parts.actor,
            purpose: parts.purpose,
            request_id: parts.request_id,
            ip_address: parts.ip_address.as_deref(),
            now: self.now(),
        }
    }

    fn audit_rows(&self, entries: &[Entry]) -> Value {
        let who = self.who();
        Value::Array(entries.iter().map(|entry| entry.to_row(&who)).collect())
    }

    /// Ends the request: gives the read session back and writes what was read. Must be called before the
    /// response is sent; a context dropped instead closes its connection and shows nothing.
    ///
    /// # Errors
    /// When the audit rows cannot be written: the response must not be sent then.
    pub fn finish(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let session = self.inner.session.lock().await.take();
            let entries = self.inner.reads.take();
            match (session, entries.is_empty()) {
                (None, true) => Ok(()),
                (Some(session), true) => session.end(false).await,
                (Some(session), false) => session.end_and_record(self.facility(), self.audit_rows(&entries)).await,
                (None, false) => self.record_alone(&entries).await,
            }
        }
        .boxed()
    }

    /// Ends a request that was stopped midway: closes its connection rather than wait for what still runs on
    /// it, and writes the audit rows on another.
    ///
    /// # Errors
    /// When the audit rows cannot be written.
    pub async fn abandon(&self) -> Result<()> {
        drop(self.inner.session.lock().await.take());
        let entries = self.inner.reads.take();
        if entries.is_empty() { Ok(()) } else { self.record_alone(&entries).await }
    }

    /// Audit rows of a request that has no session to write them with.
    async fn record_alone(&self, entries: &[Entry]) -> Result<()> {
        let binding = Binding::System { facility: self.facility() };
        let session = self.begin(&mut *self.inner.session.lock().await, Mode::Write, binding).await?;
        let mut connection = session.connection()?;
        crate::db::record(self.facility(), self.audit_rows(entries)).execute(&mut connection).await?;
        session.end(true).await
    }

    /// What can be told without the database.
    fn precheck(&self, action: &'static Action) -> Result<()> {
        let parts = &self.inner.parts;
        match (&action.granted, &parts.actor) {
            (Granted::Anyone, _) | (_, Actor::System { .. }) => Ok(()),
            (Granted::System, _) => Err(Error::Forbidden(action.name)),
            (_, Actor::Anonymous) => Err(Error::Unauthenticated),
            (Granted::Member | Granted::Roles(_), Actor::User { .. }) if parts.facility == FacilityId::PLATFORM => {
                Err(Error::Forbidden(action.name))
            }
            _ => Ok(()),
        }
    }

    fn authorize(&self, action: &'static Action, bound: &Bound) -> Result<()> {
        let parts = &self.inner.parts;
        if matches!(parts.actor, Actor::System { .. }) {
            return Ok(());
        }
        let holds = |word: &str| bound.roles.iter().any(|role| role == word);
        let allowed = match &action.granted {
            Granted::Anyone => true,
            Granted::User => matches!(parts.actor, Actor::User { .. }),
            Granted::Member => bound.member.is_some(),
            Granted::Roles(roles) => bound.member.is_some() && roles.iter().any(|role| holds(role.as_str())),
            Granted::Platform(roles) => {
                parts.facility == FacilityId::PLATFORM && roles.iter().any(|role| holds(role.as_str()))
            }
            Granted::System => false,
        };
        if allowed { Ok(()) } else { Err(Error::Forbidden(action.name)) }
    }
}

/// What both doors give: the connection, who the actor is here, the keys.
macro_rules! door {
    ($door:ident) => {
        impl $door {
            /// The connection. Several futures on it are pipelined.
            ///
            /// # Errors
            /// [`Error::Internal`] when the session has ended.
            pub fn db(&self) -> Result<&AsyncPgConnection> {
                self.session.connection()
            }

            #[must_use]
            pub fn ctx(&self) -> &RequestContext {
                &self.ctx
            }

            /// Roles in the bound facility.
            #[must_use]
            pub fn roles(&self) -> Vec<Role> {
                self.session.bound().roles.iter().filter_map(|word| Role::parse(word)).collect()
            }

            /// Roles on the platform, when no facility is chosen.
            #[must_use]
            pub fn platform_roles(&self) -> Vec<PlatformRole> {
                self.session.bound().roles.iter().filter_map(|word| PlatformRole::parse(word)).collect()
            }

            #[must_use]
            pub fn member(&self) -> Option<MemberId> {
                self.session.bound().member
            }

            #[must_use]
            pub fn patient_scope(&self) -> PatientScope {
                self.session.bound().patient_scope
            }

            /// Whether one more action is allowed to this actor here, beyond the one the door was opened with.
            #[must_use]
            pub fn may(&self, action: &'static Action) -> bool {
                self.ctx.authorize(action, self.session.bound()).is_ok()
            }

            /// Keys of the bound facility.
            ///
            /// # Errors
            /// When they are shredded or cannot be unwrapped.
            pub fn keys(&self) -> BoxFuture<'_, Result<Arc<FacilityKeys>>> {
                async move {
                    let facility = self.ctx.facility();
                    self.ctx.app().keys.of(facility, self.session.bound().key_epoch, self.session.connection()?).await
                }
                .boxed()
            }

            /// Keys of the platform, which logins are encrypted under.
            ///
            /// # Errors
            /// When they cannot be unwrapped.
            pub fn platform_keys(&self) -> BoxFuture<'_, Result<Arc<FacilityKeys>>> {
                async move { self.ctx.app().keys.platform(self.session.connection()?).await }.boxed()
            }
        }
    };
}

/// An open read session with an action allowed on it.
pub struct Read {
    ctx: RequestContext,
    session: Arc<Session>,
}

/// An open write transaction with an action allowed on it.
#[derive(Clone)]
pub struct Tx {
    ctx: RequestContext,
    session: Arc<Session>,
    /// Each with the facility whose log it goes to.
    entries: Arc<std::sync::Mutex<Vec<(FacilityId, Entry)>>>,
    /// Told to those who listen once it is committed.
    events: Arc<std::sync::Mutex<Vec<NewEvent>>>,
    action: &'static Action,
}

door!(Read);
door!(Tx);

impl Tx {
    /// Says what the write was about; several rows are allowed. Without any, one row names the action alone.
    pub fn audit(&self, subject: Subject, detail: Value) {
        self.audit_as(self.action, subject, detail);
    }

    /// Says that what was tried is refused, in a transaction that commits all the same: the attempt itself
    /// leaves a trace, such as a failure counted.
    pub fn audit_refused(&self, subject: Subject, detail: Value) {
        self.note(self.ctx.facility(), self.action, Outcome::Refused, subject, detail);
    }

    /// Says what else was done, under another action, where one write does two things.
    pub fn audit_as(&self, action: &'static Action, subject: Subject, detail: Value) {
        self.note(self.ctx.facility(), action, Outcome::Success, subject, detail);
    }

    /// The same in the log of a facility the transaction has entered, which its own people read.
    pub fn audit_in(&self, entered: EnteredKeys, subject: Subject, detail: Value) {
        self.note(entered.facility, self.action, Outcome::Success, subject, detail);
    }

    fn note(&self, facility: FacilityId, action: &'static Action, outcome: Outcome, subject: Subject, detail: Value) {
        let entry = Entry { action: action.name, outcome, subject, detail };
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((facility, entry));
    }

    /// Tells those who listen in the facility what happened, if and when the write is committed.
    pub fn publish(&self, event: NewEvent) {
        let mut events = self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !events.contains(&event) {
            events.push(event);
        }
    }

    fn take_events(&self) -> Vec<NewEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Moves an identity or platform transaction into a facility it has just looked up or made.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a user bound to a facility.
    pub async fn enter(&self, facility: FacilityId) -> Result<EnteredKeys> {
        if self.ctx.facility() != FacilityId::PLATFORM {
            return Err(Error::Forbidden(self.action.name));
        }
        let bound = self.session.enter(facility, self.ctx.now()).await?;
        Ok(EnteredKeys { facility, key_epoch: bound.key_epoch })
    }

    /// Keys of a facility entered.
    ///
    /// # Errors
    /// When they are shredded or cannot be unwrapped.
    pub async fn keys_of(&self, entered: EnteredKeys) -> Result<Arc<FacilityKeys>> {
        self.ctx.app().keys.of(entered.facility, entered.key_epoch, self.session.connection()?).await
    }

    fn take_entries(&self) -> Vec<(FacilityId, Entry)> {
        std::mem::take(&mut *self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// A facility a transaction moved into.
#[derive(Debug, Clone, Copy)]
pub struct EnteredKeys {
    facility: FacilityId,
    key_epoch: i32,
}
