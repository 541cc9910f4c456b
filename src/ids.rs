//! Typed identifiers.
//!
//! In the database an id is a `UUIDv7`; in the API it is an opaque string of a kind prefix and the
//! UUID in base64url (`pat_AZ…`). A patient's id given where an appointment's is wanted fails when
//! the input is parsed, before any SQL.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Why a string is not an id of the wanted kind. Holds no part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("expected the id of a {expected}, got the id of something else")]
    WrongKind { expected: &'static str },
    #[error("not a valid id")]
    Malformed,
}

/// A typed id: what the API layer needs to know of one.
pub trait TypedId: Copy + Eq + std::hash::Hash + Send + Sync + 'static {
    /// Prefix in the opaque form, without the underscore.
    const PREFIX: &'static str;
    /// Name of the GraphQL type it identifies.
    const KIND: &'static str;
    fn from_uuid(uuid: Uuid) -> Self;
    fn uuid(self) -> Uuid;

    /// The opaque form.
    fn encode(self) -> String {
        format!("{}_{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(self.uuid().as_bytes()))
    }

    /// Reads the opaque form.
    ///
    /// # Errors
    /// [`IdError::WrongKind`] for a well-formed id of another kind, else [`IdError::Malformed`].
    fn decode(text: &str) -> Result<Self, IdError> {
        let (prefix, uuid) = split(text).ok_or(IdError::Malformed)?;
        if prefix == Self::PREFIX {
            Ok(Self::from_uuid(uuid))
        } else {
            Err(IdError::WrongKind { expected: Self::KIND })
        }
    }
}

/// Prefix and UUID of any opaque id; `None` when it is none.
#[must_use]
pub fn split(text: &str) -> Option<(&str, Uuid)> {
    let (prefix, rest) = text.split_once('_')?;
    let bytes: [u8; 16] = URL_SAFE_NO_PAD.decode(rest).ok()?.try_into().ok()?;
    Some((prefix, Uuid::from_bytes(bytes)))
}

/// Declares typed ids: `Name(prefix) for GraphQLType`.
macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident($prefix:literal) for $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
            const KIND: &'static str = $kind;
            fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            fn uuid(self) -> Uuid { self.0 }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.encode()) }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Uuid, diesel::pg::Pg>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                diesel::deserialize::FromSql::<diesel::sql_types::Uuid, diesel::pg::Pg>::from_sql(value).map(Self)
            }
        }

        impl async_graphql::InputType for $name {
            type RawValueType = Self;
            fn type_name() -> std::borrow::Cow<'static, str> { <async_graphql::ID as async_graphql::InputType>::type_name() }
            fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                <async_graphql::ID as async_graphql::InputType>::create_type_info(registry)
            }
            fn parse(value: Option<async_graphql::Value>) -> async_graphql::InputValueResult<Self> {
                match value {
                    Some(async_graphql::Value::String(text)) => {
                        Self::decode(&text).map_err(async_graphql::InputValueError::custom)
                    }
                    other => Err(async_graphql::InputValueError::expected_type(other.unwrap_or_default())),
                }
            }
            fn to_value(&self) -> async_graphql::Value { async_graphql::Value::String(self.encode()) }
            fn as_raw_value(&self) -> Option<&Self> { Some(self) }
        }

        #[async_graphql::async_trait::async_trait]
        impl async_graphql::OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> { <async_graphql::ID as async_graphql::OutputType>::type_name() }
            fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                <async_graphql::ID as async_graphql::OutputType>::create_type_info(registry)
            }
            async fn resolve(
                &self,
                _: &async_graphql::ContextSelectionSet<'_>,
                _: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<async_graphql::Value> {
                Ok(async_graphql::Value::String(self.encode()))
            }
        }
    )*

        /// The opaque form of the id of an object whose GraphQL type is only known by name; `None` for no type of ours.
        #[must_use]
        pub fn encode_as(kind: &str, uuid: Uuid) -> Option<String> {
            match kind {
                $($kind => Some($name::from_uuid(uuid).encode()),)*
                _ => None,
            }
        }
    };
}

typed_ids! {
    /// A login.
    UserId("usr") for "User";
    /// A login session.
    SessionId("ses") for "UserSession";
    /// A tenant.
    FacilityId("fac") for "Facility";
    /// A user's membership of a facility.
    MemberId("mem") for "Member";
    /// A role held by a member.
    MemberRoleId("rol") for "MemberRole";
    /// An invitation to a facility.
    InvitationId("inv") for "Invitation";
    /// A person in care, in one facility.
    PatientId("pat") for "Patient";
    /// A contact of a patient.
    ContactId("con") for "PatientContact";
    /// An insurance coverage of a patient.
    CoverageId("cov") for "PatientCoverage";
    /// An entry of a patient's visit history.
    VisitId("vis") for "PatientVisit";
    /// A diagnosis of a visit.
    DiagnosisId("dgn") for "VisitDiagnosis";
    /// An allergy of a patient.
    AllergyId("alg") for "PatientAllergy";
    /// A relationship that opens a chart to a provider.
    CareRelationshipId("car") for "CareRelationship";
    /// An emergency access to a chart.
    BreakGlassId("bgl") for "BreakGlassAccess";
    /// That a user of the portal sees a chart.
    PatientUserId("pus") for "PatientUser";
    /// An uploaded file or authored note.
    DocumentId("doc") for "Document";
    /// A patient's request that a note be corrected.
    AmendmentId("amd") for "AmendmentRequest";
    /// That one member's notes need another's co-signature.
    SupervisionId("sup") for "Supervision";
    /// A form that notes are made of.
    NoteTemplateId("tpl") for "NoteTemplate";
    /// A state a document was in.
    VersionId("ver") for "DocumentVersion";
    /// A passage of a document.
    ChunkId("chk") for "DocumentPassage";
    /// A signature on a document.
    SignatureId("sig") for "DocumentSignature";
    /// Files sent together.
    UploadBatchId("bat") for "DocumentUploadBatch";
    /// What the text of a document proposes of it.
    ProposalId("prp") for "DocumentProposal";
    /// The documents of a patient as one archive.
    RecordExportId("exp") for "RecordExport";
    /// A search that is kept.
    SavedSearchId("srch") for "DocumentSavedSearch";
    /// Something a user is told of.
    NotificationId("ntf") for "Notification";
    /// What several people talk about.
    ConversationId("cnv") for "Conversation";
    /// What is said in a conversation.
    MessageId("msg") for "Message";
    /// An assistant of the facility.
    AgentId("agt") for "Agent";
    /// What an assistant is to keep in mind.
    MemoryId("mmy") for "AgentMemory";
    /// A WhatsApp number of the facility.
    WhatsappIntegrationId("wai") for "WhatsappIntegration";
    /// Somebody outside who writes to one.
    WhatsappContactId("wac") for "WhatsappContact";
    /// A background job.
    JobId("job") for "Job";
    /// A row of the audit log.
    AuditEntryId("aud") for "AuditEntry";
}

impl FacilityId {
    /// The platform itself, facility zero: sign-ins and platform administration belong to it.
    pub const PLATFORM: Self = Self(Uuid::nil());
}

/// A new id: `UUIDv7`, so ids of one table grow with time and keyset pages by id are pages by age.
#[must_use]
pub fn new_id<T: TypedId>() -> T {
    T::from_uuid(Uuid::now_v7())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_round_trip() {
        let id: PatientId = new_id();
        assert_eq!(PatientId::decode(&id.encode()), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_kind() {
        let id: DocumentId = new_id();
        assert_eq!(PatientId::decode(&id.encode()), Err(IdError::WrongKind { expected: "Patient" }));
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in
            ["", "pat", "pat_", "pat_!!", "pat_AAAA", "_AAAAAAAAAAAAAAAAAAAAAA", "pat_AAAAAAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert!(matches!(PatientId::decode(text), Err(IdError::Malformed | IdError::WrongKind { .. })), "{text}");
        }
    }
}
