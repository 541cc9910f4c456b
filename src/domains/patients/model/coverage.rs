//! Insurance coverages of a patient.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};

use crate::db::schema::patient_coverages;
use crate::ids::{CoverageId, FacilityId, PatientId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// What the patient is to the subscriber of a coverage.
    SubscriberRelationship {
        /// The patient is the subscriber.
        #[graphql(name = "SELF")]
        Oneself = "self",
        /// Married to the subscriber.
        Spouse = "spouse",
        /// Child of the subscriber.
        Child = "child",
        /// Anyone else the subscriber covers.
        Other = "other",
    }
}

/// A coverage as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patient_coverages, check_for_backend(diesel::pg::Pg))]
pub struct CoverageRow {
    pub id: CoverageId,
    pub patient_id: PatientId,
    pub payer_name: String,
    pub plan_name: Option<String>,
    pub member_number_ciphertext: Vec<u8>,
    pub group_number_ciphertext: Option<Vec<u8>>,
    pub subscriber_name_ciphertext: Option<Vec<u8>>,
    pub subscriber_relationship: SubscriberRelationship,
    pub priority: i16,
    pub effective_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub version: i32,
}

/// A coverage, decrypted.
#[derive(Debug, Clone)]
pub struct Coverage {
    pub id: CoverageId,
    pub patient_id: PatientId,
    pub fields: CoverageFields,
    pub version: i32,
}

/// What is known of a coverage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageFields {
    pub payer_name: String,
    pub plan_name: Option<String>,
    pub member_number: Phi<String>,
    pub group_number: Option<Phi<String>>,
    /// There when the patient is not the subscriber.
    pub subscriber_name: Option<Phi<String>>,
    pub subscriber_relationship: SubscriberRelationship,
    /// 1 is billed first.
    pub priority: i16,
    pub effective_on: NaiveDate,
    /// Last day covered.
    pub ends_on: Option<NaiveDate>,
}

/// Changes of a coverage: what is left out stays, null clears.
#[derive(Debug, Clone, Default)]
pub struct CoveragePatch {
    pub payer_name: MaybeUndefined<String>,
    pub plan_name: MaybeUndefined<String>,
    pub member_number: MaybeUndefined<Phi<String>>,
    pub group_number: MaybeUndefined<Phi<String>>,
    pub subscriber_name: MaybeUndefined<Phi<String>>,
    pub subscriber_relationship: MaybeUndefined<SubscriberRelationship>,
    pub priority: MaybeUndefined<i16>,
    pub effective_on: MaybeUndefined<NaiveDate>,
    pub ends_on: MaybeUndefined<NaiveDate>,
}

impl CoveragePatch {
    /// Names of the fields it gives, for the audit log.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        given!(self:
            payer_name => "payerName", plan_name => "planName", member_number => "memberNumber",
            group_number => "groupNumber", subscriber_name => "subscriberName",
            subscriber_relationship => "subscriberRelationship", priority => "priority",
            effective_on => "effectiveOn", ends_on => "endsOn",
        )
    }
}

/// A coverage row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = patient_coverages)]
pub struct NewCoverage {
    pub facility_id: FacilityId,
    pub id: CoverageId,
    pub patient_id: PatientId,
    pub created_at: DateTime<Utc>,
    #[diesel(embed)]
    pub columns: CoverageColumns,
}

/// The columns an update of a coverage writes; `None` clears the column.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = patient_coverages, treat_none_as_null = true)]
pub struct CoverageColumns {
    pub payer_name: String,
    pub plan_name: Option<String>,
    pub member_number_ciphertext: Vec<u8>,
    pub group_number_ciphertext: Option<Vec<u8>>,
    pub subscriber_name_ciphertext: Option<Vec<u8>>,
    pub subscriber_relationship: SubscriberRelationship,
    pub priority: i16,
    pub effective_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub updated_at: DateTime<Utc>,
}
