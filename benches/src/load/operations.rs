//! What is measured: what apps ask most.

use anamnesis::ids::{ConversationId, FacilityId, PatientId, TypedId as _};
use serde_json::{Value, json};
use tokio_postgres::Client as Postgres;
use uuid::Uuid;

use crate::Result;
use crate::bed::Bed;
use crate::population::{Corpus, PEOPLE_EMAIL, PEOPLE_PASSWORD};

/// Different requests of each operation.
const VARIANTS: usize = 40;
/// The facilities that are asked, beginning with the largest.
const ASKED: usize = 20;

const PATIENT: &str = "id mrn givenName familyName birthDate phone gender status version";
const PATIENT_OF_PEER: &str = "rowId mrnCiphertext givenNameCiphertext familyNameCiphertext birthDateCiphertext \
    phoneCiphertext gender status version";
const FAMILIES: [&str; 8] = ["Garcia", "Kowalski", "Nguyen", "Patel", "Rossi", "Schmidt", "Silva", "Young"];

/// A document with the variables of each of its requests, in a facility.
pub struct Asked {
    pub document: String,
    pub variants: Vec<(FacilityId, Value)>,
}

/// How an operation is measured.
pub struct Operation {
    pub name: &'static str,
    pub asked: Asked,
    /// The same of PostGraphile, as far as it can say it.
    pub of_peer: Option<Asked>,
    /// Whether the same statements can be said again: what writes cannot.
    pub repeatable: bool,
}

/// Whom and what is asked for.
struct Subjects {
    facilities: Vec<FacilityId>,
    patients: Vec<Uuid>,
    conversations: Vec<Uuid>,
}

impl Subjects {
    async fn of(bed: &Bed, postgres: &Postgres) -> Result<Self> {
        let asked = bed.population.facilities.iter().take(ASKED).map(|facility| facility.id);
        let facilities: Vec<FacilityId> = asked.cycle().take(VARIANTS).collect();
        let (mut patients, mut conversations) = (Vec::new(), Vec::new());
        for (number, facility) in facilities.iter().enumerate() {
            let nth = i64::try_from(number * 3 % 50)?;
            let patient = "SELECT id FROM patients WHERE facility_id = $1 ORDER BY id OFFSET $2 LIMIT 1";
            patients.push(postgres.query_one(patient, &[&facility.uuid(), &nth]).await?.get(0));
            let conversation = "SELECT id FROM conversations WHERE facility_id = $1 ORDER BY id LIMIT 1";
            conversations.push(postgres.query_one(conversation, &[&facility.uuid()]).await?.get(0));
        }
        Ok(Self { facilities, patients, conversations })
    }

    fn each(&self, document: impl Into<String>, variables: impl Fn(usize) -> Value) -> Asked {
        let variants = self.facilities.iter().enumerate().map(|(number, facility)| (*facility, variables(number)));
        Asked { document: document.into(), variants: variants.collect() }
    }

    fn patient(&self, number: usize) -> String {
        PatientId::from_uuid(self.patients[number]).encode()
    }

    fn conversation(&self, number: usize) -> String {
        ConversationId::from_uuid(self.conversations[number]).encode()
    }
}

/// All operations, from the least to the most.
///
/// # Errors
/// When the population cannot be read.
pub async fn all(bed: &Bed, postgres: &Postgres) -> Result<Vec<Operation>> {
    let subjects = Subjects::of(bed, postgres).await?;
    let mut all = reads_of_patients(&subjects);
    all.extend(searches(&subjects)?);
    all.push(conversation_page(&subjects));
    all.extend(writes(&subjects));
    Ok(all)
}

fn read(name: &'static str, asked: Asked) -> Operation {
    Operation { name, asked, of_peer: None, repeatable: true }
}

fn reads_of_patients(subjects: &Subjects) -> Vec<Operation> {
    let facility = |number: usize| subjects.facilities[number].uuid();
    vec![
        read("constant field", subjects.each("{ __typename }", |_| json!({}))),
        Operation {
            of_peer: Some(subjects.each(
                format!(
                    "query($facility: UUID!, $id: UUID!) {{ \
                     patientByFacilityIdAndRowId(facilityId: $facility, rowId: $id) {{ {PATIENT_OF_PEER} }} }}"
                ),
                |number| json!({ "facility": facility(number), "id": subjects.patients[number] }),
            )),
            ..read(
                "patient by id",
                subjects.each(
                    format!("query($id: ID!) {{ patient(id: $id) {{ {PATIENT} }} }}"),
                    |number| json!({ "id": subjects.patient(number) }),
                ),
            )
        },
        Operation {
            of_peer: Some(subjects.each(
                format!(
                    "query($facility: UUID!) {{ allPatients(first: 20, condition: {{ facilityId: $facility }}) {{ \
                     nodes {{ {PATIENT_OF_PEER} }} pageInfo {{ hasNextPage endCursor }} }} }}"
                ),
                |number| json!({ "facility": facility(number) }),
            )),
            ..read(
                "20 patients by keyset",
                subjects.each(
                    format!(
                        "query($after: String) {{ patients(first: 20, after: $after) {{ nodes {{ {PATIENT} }} \
                         pageInfo {{ hasNextPage endCursor }} }} }}"
                    ),
                    |number| json!({ "after": subjects.patient(number) }),
                ),
            )
        },
        Operation {
            of_peer: Some(subjects.each(
                "query($facility: UUID!) { allPatients(first: 20, condition: { facilityId: $facility }) { nodes { \
                 rowId givenNameCiphertext familyNameCiphertext \
                 patientContactsByFacilityIdAndPatientId { nodes { rowId nameCiphertext phoneCiphertext } } \
                 patientVisitsByFacilityIdAndPatientId(first: 3, orderBy: VISITED_AT_DESC) { nodes { \
                 rowId visitedAt department reasonCiphertext } } \
                 documentPatientsByFacilityIdAndPatientId(first: 3) { nodes { documentByFacilityIdAndDocumentId { \
                 rowId titleCiphertext kind documentDate } } } } } }",
                |number| json!({ "facility": facility(number) }),
            )),
            ..read(
                "20 patients nested",
                subjects.each(
                    "query($after: String) { patients(first: 20, after: $after) { nodes { id givenName familyName \
                     contacts { id name phone } visits(first: 3) { nodes { id visitedAt department reason } } \
                     documents(first: 3) { nodes { id title kind documentDate } } } } }",
                    |number| json!({ "after": subjects.patient(number) }),
                ),
            )
        },
    ]
}

fn searches(subjects: &Subjects) -> Result<Vec<Operation>> {
    let queries = Corpus::queries(VARIANTS)?;
    Ok(vec![
        read(
            "patient search by name",
            subjects.each(
                "query($name: String!) { patientSearch(input: { name: $name }, first: 20) { \
                 nodes { patient { id givenName familyName birthDate } } } }",
                |number| json!({ "name": FAMILIES[number % FAMILIES.len()] }),
            ),
        ),
        read(
            "document search, hybrid",
            subjects.each(
                "query($query: String!) { documentSearch(query: $query, first: 10) { edges { node { score \
                 passage { text } document { id title } } } } }",
                |number| json!({ "query": queries[number % queries.len()] }),
            ),
        ),
    ])
}

fn conversation_page(subjects: &Subjects) -> Operation {
    Operation {
        of_peer: Some(subjects.each(
            "query($facility: UUID!, $conversation: UUID!) { allMessages(last: 50, orderBy: SEQUENCE_ASC, \
             condition: { facilityId: $facility, conversationId: $conversation }) { nodes { rowId sequence \
             bodyCiphertext createdAt userByAuthorUserId { rowId displayNameCiphertext } } } }",
            |number| {
                json!({ "facility": subjects.facilities[number].uuid(),
                    "conversation": subjects.conversations[number] })
            },
        )),
        ..read(
            "conversation page of 50",
            subjects.each(
                "query($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes { id sequence body createdAt \
                 author { id displayName } } } } }",
                |number| json!({ "id": subjects.conversation(number) }),
            ),
        )
    }
}

fn writes(subjects: &Subjects) -> Vec<Operation> {
    let write = |name, asked| Operation { name, asked, of_peer: None, repeatable: false };
    vec![
        write(
            "send a message",
            subjects.each(
                "mutation($conversation: ID!) { messageSend(input: { conversationId: $conversation, \
                 body: \"Seen at nine; will call the family before noon.\" }) { message { id } \
                 userErrors { code } } }",
                |number| json!({ "conversation": subjects.conversation(number) }),
            ),
        ),
        write(
            "register a patient",
            subjects.each(
                "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id mrn } \
                 userErrors { code } } }",
                |number| {
                    json!({ "input": { "givenName": "Nora", "familyName": FAMILIES[number % FAMILIES.len()],
                        "birthDate": "1990-05-17", "gender": "FEMALE", "phone": format!("617-555-{number:04}"),
                        "acceptDuplicates": true } })
                },
            ),
        ),
        write(
            "sign in",
            Asked {
                document: "mutation($email: String!, $password: String!) { signIn(input: { email: $email, \
                    password: $password }) { tokens { accessToken } userErrors { code } } }"
                    .to_owned(),
                variants: vec![(subjects.facilities[0], json!({ "email": PEOPLE_EMAIL, "password": PEOPLE_PASSWORD }))],
            },
        ),
    ]
}
