//! Who acts, for what purpose, on what.

use uuid::Uuid;

use crate::ids::{FacilityId, PatientId, SessionId, TypedId, UserId};
use crate::text_enum::text_enum;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Anonymous,
    User {
        user: UserId,
        session: SessionId,
    },
    /// The server or an operator; the reason is written to the audit log.
    System {
        reason: &'static str,
    },
}

text_enum! {
    /// Why health information is used.
    Purpose {
        /// Care of the patient.
        Treatment = "treatment",
        /// Billing and payment.
        Payment = "payment",
        /// Running the facility.
        Operations = "operations",
        /// An emergency.
        Emergency = "emergency",
    }
}

/// What an audit row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject {
    /// GraphQL type name of the object.
    pub kind: Option<&'static str>,
    pub id: Option<Uuid>,
    pub patient: Option<PatientId>,
}

impl Subject {
    /// An object that belongs to no patient.
    pub fn of<I: TypedId>(id: I) -> Self {
        Self { kind: Some(I::KIND), id: Some(id.uuid()), patient: None }
    }

    /// The same, as part of a patient's record.
    #[must_use]
    pub const fn in_record_of(mut self, patient: PatientId) -> Self {
        self.patient = Some(patient);
        self
    }
}

/// What the edge, or a job, knows of a request.
#[derive(Debug, Clone)]
pub struct ContextParts {
    pub actor: Actor,
    /// The chosen facility; [`FacilityId::PLATFORM`] for none.
    pub facility: FacilityId,
    pub purpose: Purpose,
    pub request_id: Uuid,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
}
