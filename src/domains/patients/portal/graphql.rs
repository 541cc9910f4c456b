//! The portal in the API: what patients and those who act for them see, and how staff let them.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::model::{Link, PatientUserRelationship, Record};
use super::service;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::domains::patients::graphql::{Patient, PatientUserError};
use crate::domains::patients::loaders::PatientLoader;
use crate::domains::patients::model::{Gender, Visit, VisitCursor};
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{load_one, or_null};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{PatientId, PatientUserId, UserId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// That a user of the portal sees a chart. Needs `patients.portal.links.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct PatientUser {
    /// Typed, opaque id.
    pub id: PatientUserId,
    /// As whom they see it.
    pub relationship: PatientUserRelationship,
    /// From when.
    pub granted_at: DateTime<Utc>,
    /// Until when; null while it lasts.
    pub revoked_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    patient_id: PatientId,
    #[graphql(skip)]
    user_id: UserId,
    #[graphql(skip)]
    granted_by_id: Option<UserId>,
    #[graphql(skip)]
    revoked_by_id: Option<UserId>,
}

#[ComplexObject]
impl PatientUser {
    /// Whose chart; null when you may not open it. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Patient> {
        or_null(ctx, load_one::<PatientLoader>(ctx, self.patient_id).await)?.map(Into::into)
    }

    /// Who sees it; null when the account cannot be shown.
    async fn user(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.user_id).await
    }

    /// Who let them; null for the server itself.
    async fn granted_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.granted_by_id?).await
    }

    /// Who took it back; null while it lasts.
    async fn revoked_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.revoked_by_id?).await
    }
}

async fn user(ctx: &Context<'_>, id: UserId) -> Option<User> {
    or_null(ctx, load_one::<UserLoader>(ctx, id).await)?.map(Into::into)
}

impl From<Link> for PatientUser {
    fn from(link: Link) -> Self {
        let Link { id, patient_id, user_id, relationship, granted_by, granted_at, revoked_by, revoked_at } = link;
        Self {
            id,
            relationship,
            granted_at,
            revoked_at,
            patient_id,
            user_id,
            granted_by_id: granted_by,
            revoked_by_id: revoked_by,
        }
    }
}

/// A chart as whoever it is about sees it, or who acts for them. Needs `patients.portal.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PortalRecord {
    /// Id of the patient, for the other questions of the portal.
    pub patient_id: PatientId,
    /// As whom the caller sees it.
    pub relationship: PatientUserRelationship,
    /// Medical record number.
    pub mrn: String,
    /// Given name.
    pub given_name: String,
    /// Middle name; null when there is none.
    pub middle_name: Option<String>,
    /// Family name.
    pub family_name: String,
    /// What the patient wants to be called; null when nothing else.
    pub preferred_name: Option<String>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Gender.
    pub gender: Gender,
    /// Telephone number on record; null when there is none.
    pub phone: Option<String>,
    /// Mail address on record; null when there is none.
    pub email: Option<String>,
    /// Language the patient prefers, as a BCP 47 tag; null when none is known.
    pub preferred_language: Option<String>,
}

impl From<Record> for PortalRecord {
    fn from(record: Record) -> Self {
        let Record { relationship, patient } = record;
        let identity = patient.identity;
        Self {
            patient_id: patient.id,
            relationship,
            mrn: identity.mrn.into_revealed(),
            given_name: identity.given_name.into_revealed(),
            middle_name: identity.middle_name.map(Phi::into_revealed),
            family_name: identity.family_name.into_revealed(),
            preferred_name: identity.preferred_name.map(Phi::into_revealed),
            birth_date: identity.birth_date.into_revealed(),
            gender: patient.gender,
            phone: identity.phone.map(Phi::into_revealed),
            email: identity.email.map(Phi::into_revealed),
            preferred_language: patient.preferred_language,
        }
    }
}

/// A visit as the patient sees it. Needs `patients.portal.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PortalVisit {
    /// When it began.
    pub visited_at: DateTime<Utc>,
    /// When it ended; null while it lasts, or when that is not known.
    pub discharged_at: Option<DateTime<Utc>>,
    /// Department or unit; null when none is known.
    pub department: Option<String>,
    /// Why the patient came; null when none is recorded.
    pub reason: Option<String>,
    #[graphql(skip)]
    cursor: VisitCursor,
}

impl From<Visit> for PortalVisit {
    fn from(visit: Visit) -> Self {
        Self {
            visited_at: visit.visited_at,
            discharged_at: visit.discharged_at,
            department: visit.department.clone(),
            cursor: VisitCursor { visited_at: visit.visited_at, id: visit.id },
            reason: visit.reason.map(Phi::into_revealed),
        }
    }
}

connection!(PortalVisitConnection, PortalVisitEdge, PortalVisit, "visits");

/// Queries of the portal.
#[derive(Debug, Default)]
pub struct PortalQuery;

#[Object]
impl PortalQuery {
    /// Who sees a chart in the portal, and who did. Needs `patients.portal.links.read`.
    async fn patient_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose chart.")] patient_id: PatientId,
    ) -> Result<Vec<PatientUser>> {
        Ok(service::patient_users(request(ctx)?, patient_id).await?.into_iter().map(Into::into).collect())
    }

    /// The charts the caller is linked to: their own, and those of whom they act for. Needs `patients.portal.read`.
    async fn portal_records(&self, ctx: &Context<'_>) -> Result<Vec<PortalRecord>> {
        Ok(service::portal_records(request(ctx)?).await?.into_iter().map(Into::into).collect())
    }

    /// Visits in a chart the caller is linked to, the latest first; fails with `NOT_FOUND` for another. Needs
    /// `patients.portal.read`.
    async fn portal_visits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose visits.")] patient_id: PatientId,
        #[graphql(desc = "Visits to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<PortalVisitConnection> {
        let page = PageRequest::parse_with(first, after.as_deref(), VisitCursor::decode)?;
        let found = service::portal_visits(request(ctx)?, patient_id, page).await?.map(PortalVisit::from);
        Ok(PortalVisitConnection::new(found, page.after.is_some(), None, |visit| visit.cursor.encode()))
    }
}

/// Who is to see a chart.
#[derive(InputObject)]
pub struct PatientUserLinkInput {
    /// Whose chart.
    pub patient_id: PatientId,
    /// Who is to see it: a member of the facility with the role `PATIENT`.
    pub portal_user_id: UserId,
    /// As whom.
    pub relationship: PatientUserRelationship,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Who is not to see a chart any more.
#[derive(InputObject)]
pub struct PatientUserUnlinkInput {
    /// Id of the link.
    pub id: PatientUserId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a link.
    PatientUserPayload {
        /// The link; null when refused.
        patient_user: PatientUser,
    } or PatientUserError
);

/// Mutations of the portal.
#[derive(Debug, Default)]
pub struct PortalMutation;

#[Object]
impl PortalMutation {
    /// Lets a user see a chart in the portal. Whoever does it has made sure who they are. Needs `patients.portal.link`.
    async fn patient_user_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose chart, and who.")] input: PatientUserLinkInput,
    ) -> Result<PatientUserPayload> {
        let PatientUserLinkInput { patient_id, portal_user_id, relationship, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let request = request(ctx)?;
        match service::link_user(request, patient_id, portal_user_id, relationship, once).await {
            Ok(id) => Ok(PatientUserPayload::done(service::patient_user(request, id).await?.into())),
            Err(stop) => PatientUserPayload::refused(stop),
        }
    }

    /// Takes a link back, from the user's next request on. Needs `patients.portal.unlink`.
    async fn patient_user_unlink(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The link.")] input: PatientUserUnlinkInput,
    ) -> Result<PatientUserPayload> {
        let PatientUserUnlinkInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let request = request(ctx)?;
        match service::unlink_user(request, id, once).await {
            Ok(id) => Ok(PatientUserPayload::done(service::patient_user(request, id).await?.into())),
            Err(stop) => PatientUserPayload::refused(stop),
        }
    }
}
