//! Objects of the domain.

mod care;
mod parts;
mod search;
mod visit;

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

pub use care::{BreakGlassAccess, BreakGlassAccessConnection, CareRelationship, CareRelationshipConnection};
pub use parts::{PatientAllergy, PatientContact, PatientCoverage};
pub use search::{PatientDuplicate, PatientMatch, PatientSearchConnection};
pub use visit::{Icd10Code, PatientVisit, PatientVisitConnection};

use crate::domains::documents::graphql::{DocumentConnection, documents_of_patient};
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::domains::patients::loaders::{
    AllergiesLoader, CareTeamLoader, ContactsLoader, CoveragesLoader, VisitCountLoader, VisitPage, VisitsLoader,
};
use crate::domains::patients::model::{self, Gender, PatientStatus, Refusal, VisitCursor};
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_one, or_null};
use crate::graphql::payload::user_error;
use crate::ids::{PatientId, UserId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// A person in care, in one facility. Needs `patients.read`; a restricted therapist sees only charts that a
/// care relationship or an emergency access opens.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Patient {
    /// Typed, opaque id.
    pub id: PatientId,
    /// Medical record number, unique in the facility.
    pub mrn: String,
    /// Given name.
    pub given_name: String,
    /// Middle name; null when none is known.
    pub middle_name: Option<String>,
    /// Family name.
    pub family_name: String,
    /// Name the person goes by; null when it is the given name.
    pub preferred_name: Option<String>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Last four digits of the social security number; null when none is known. The rest is never sent.
    pub ssn_last_four: Option<String>,
    /// Telephone number in E.164; null when none is known.
    pub phone: Option<String>,
    /// E-mail address; null when none is known.
    pub email: Option<String>,
    /// Postal address; null when none is known.
    pub address: Option<Address>,
    /// Administrative gender.
    pub gender: Gender,
    /// Language preferred, as a BCP 47 tag; null when none is known.
    pub preferred_language: Option<String>,
    /// Whether the record is in use.
    pub status: PatientStatus,
    /// When it was archived; null while it is active.
    pub archived_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when changing the record.
    pub version: i32,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

#[ComplexObject]
impl Patient {
    /// Contacts, in the order they are called. Needs `patients.read`.
    async fn contacts(&self, ctx: &Context<'_>) -> Result<Vec<PatientContact>, LoadError> {
        let found = load_one::<ContactsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Documents about the patient that the caller may know of, last added first; `totalCount` is not counted here.
    /// Null when the caller may see no documents. Needs `documents.read`.
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Documents to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<Option<DocumentConnection>, LoadError> {
        let page = PageRequest::parse(first, after.as_deref())?;
        Ok(or_null(ctx, documents_of_patient(ctx, self.id, page).await))
    }

    /// Contacts to be called in an emergency, in that order. Needs `patients.read`.
    async fn emergency_contacts(&self, ctx: &Context<'_>) -> Result<Vec<PatientContact>, LoadError> {
        let found = load_one::<ContactsLoader>(ctx, self.id).await?.unwrap_or_default();
        Ok(found.into_iter().filter(|contact| contact.fields.emergency).map(Into::into).collect())
    }

    /// Insurance coverages, those billed first come first, ended ones too; null when you may not see them. Needs
    /// `patients.coverages.read`.
    async fn coverages(&self, ctx: &Context<'_>) -> Option<Vec<PatientCoverage>> {
        let found = or_null(ctx, load_one::<CoveragesLoader>(ctx, self.id).await)?.unwrap_or_default();
        Some(found.into_iter().map(Into::into).collect())
    }

    /// Allergies and intolerances in the order they were recorded, resolved and mistaken ones too: look at
    /// `status`. Null when you may not see them. Needs `patients.allergies.read`.
    async fn allergies(&self, ctx: &Context<'_>) -> Option<Vec<PatientAllergy>> {
        let found = or_null(ctx, load_one::<AllergiesLoader>(ctx, self.id).await)?.unwrap_or_default();
        Some(found.into_iter().map(Into::into).collect())
    }

    /// Who treats the patient now, the longest first; null when you may not see it. Needs
    /// `patients.care_team.read`.
    async fn care_team(&self, ctx: &Context<'_>) -> Option<Vec<CareRelationship>> {
        let found = or_null(ctx, load_one::<CareTeamLoader>(ctx, self.id).await)?.unwrap_or_default();
        Some(found.into_iter().map(Into::into).collect())
    }

    /// Visit history, the latest first; null when you may not see it. Needs `patients.visits.read`.
    async fn visits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Visits to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<Option<PatientVisitConnection>> {
        let page = PageRequest::parse_with(first, after.as_deref(), VisitCursor::decode)?;
        let key = VisitPage { patient: self.id, first: page.first, after: page.after };
        let counted = async {
            if ctx.look_ahead().field("totalCount").exists() {
                load_one::<VisitCountLoader>(ctx, self.id).await.map(|count| Some(count.unwrap_or(0)))
            } else {
                Ok(None)
            }
        };
        let loaded = async { futures::try_join!(load_one::<VisitsLoader>(ctx, key), counted) };
        let Some((visits, total)) = or_null(ctx, loaded.await) else { return Ok(None) };
        let visits = visits.unwrap_or_else(|| crate::pagination::Page { rows: Vec::new(), has_next: false });
        let cursor = |visit: &PatientVisit| VisitCursor { visited_at: visit.visited_at, id: visit.id }.encode();
        Ok(Some(PatientVisitConnection::new(visits.map(Into::into), page.after.is_some(), total, cursor)))
    }
}

connection!(PatientConnection, PatientEdge, Patient, "patients");

/// A postal address in the United States.
#[derive(Debug, Clone, SimpleObject)]
pub struct Address {
    /// Street and number.
    pub line1: String,
    /// Second line; null when there is none.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// Two-letter state.
    pub state: String,
    /// ZIP code, five digits or ZIP+4.
    pub zip_code: String,
}

user_error!(
    /// Why an operation on patients was refused.
    PatientUserError(Refusal)
);

/// Someone of the facility.
async fn user(ctx: &Context<'_>, id: UserId) -> Option<User> {
    or_null(ctx, load_one::<UserLoader>(ctx, id).await)?.map(Into::into)
}

pub(super) fn text(value: Option<Phi<String>>) -> Option<String> {
    value.map(Phi::into_revealed)
}

impl From<model::Patient> for Patient {
    fn from(patient: model::Patient) -> Self {
        let identity = patient.identity;
        Self {
            id: patient.id,
            mrn: identity.mrn.into_revealed(),
            given_name: identity.given_name.into_revealed(),
            middle_name: text(identity.middle_name),
            family_name: identity.family_name.into_revealed(),
            preferred_name: text(identity.preferred_name),
            birth_date: *identity.birth_date.reveal(),
            ssn_last_four: identity.ssn.map(|ssn| ssn.reveal().chars().skip(5).collect()),
            phone: text(identity.phone),
            email: text(identity.email),
            address: identity.address.map(|address| Phi::into_revealed(address).into()),
            gender: patient.gender,
            preferred_language: patient.preferred_language,
            status: patient.status,
            archived_at: patient.archived_at,
            version: patient.version,
            created_at: patient.created_at,
            updated_at: patient.updated_at,
        }
    }
}

impl From<model::Address> for Address {
    fn from(address: model::Address) -> Self {
        let model::Address { line1, line2, city, state, zip_code } = address;
        Self { line1, line2, city, state, zip_code }
    }
}
