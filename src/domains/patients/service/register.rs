//! Registering a patient, and who they may be already.

use serde_json::json;

use crate::access::{Once, RequestContext, Role, Subject, Tx};
use crate::crypto::FacilityKeys;
use crate::crypto::blind_index::{Term, TermKind};
use crate::domains::patients::model::{
    CareRelationshipKind, Duplicate, DuplicateReason, Identity, NewCareRelationship, NewPatient, Refusal,
    RegisterPatient,
};
use crate::domains::patients::repository::terms::Probe;
use crate::domains::patients::sealing::Hidden;
use crate::domains::patients::{duplicates, policy, repository, sealing, validation};
use crate::error::{Result, Stop};
use crate::ids::{FacilityId, PatientId, new_id};
use diesel_async::AsyncPgConnection;

/// Records looked at more closely for one registration.
const MAX_CANDIDATES: i64 = 100;
/// Duplicates offered: more than a clerk will compare.
const MAX_OFFERED: usize = 10;

/// Patients who may be the person described, the likeliest first. Among the charts the caller may open: a
/// restricted therapist does not learn of others this way.
///
/// # Errors
/// Refused when a value is malformed.
pub async fn possible_duplicates(ctx: &RequestContext, new: RegisterPatient) -> Result<Vec<Duplicate>, Stop<Refusal>> {
    let read = ctx.read(&policy::DUPLICATES).await?;
    let registration = validation::registration(new, ctx.now().date_naive())?;
    let keys = read.keys().await?;
    let identity = registration.numbered(new_id());
    let probes = sealing::duplicate_probes(&keys, &identity);
    let found = likely(read.db()?, ctx.facility(), &keys, &identity, &probes).await?;
    ctx.note(&policy::DUPLICATES, Subject::default(), json!({ "found": found.len() }));
    let show = |(score, reasons, hidden): Likely| Duplicate { patient: hidden.show(ctx), score, reasons };
    Ok(found.into_iter().map(show).collect())
}

type Likely = (u8, Vec<DuplicateReason>, Hidden);

async fn likely(
    db: &AsyncPgConnection,
    facility: FacilityId,
    keys: &FacilityKeys,
    identity: &Identity,
    probes: &[Term],
) -> Result<Vec<Likely>> {
    let probes: Vec<Probe> = probes.iter().map(probe).collect();
    let ids = repository::terms::find_sharing(db, facility, &probes, MAX_CANDIDATES).await?;
    let mut likely = Vec::new();
    for row in repository::patients::find_by_ids(db, facility, &ids).await? {
        let candidate = sealing::open_hidden(keys, row)?;
        let (score, reasons) = duplicates::weigh(identity, candidate.identity());
        if !reasons.is_empty() {
            likely.push((score, reasons, candidate));
        }
    }
    likely.sort_by_key(|(score, _, hidden)| (std::cmp::Reverse(*score), hidden.id()));
    likely.truncate(MAX_OFFERED);
    Ok(likely)
}

fn probe(term: &Term) -> Probe {
    let telling = !matches!(term.kind, TermKind::GivenNameSound | TermKind::FamilyNameSound);
    Probe { term: term.hash, kind: i16::from(term.kind as u8), telling }
}

/// Registers a patient. A therapist who registers one treats them from then on.
///
/// # Errors
/// Refused when a value is malformed, the medical record number is taken, or, unless accepted, the facility may
/// know the person already.
pub async fn register_patient(
    ctx: &RequestContext,
    new: RegisterPatient,
    once: Option<Once>,
) -> Result<PatientId, Stop<Refusal>> {
    let accepted = new.accept_duplicates;
    ctx.write(&policy::REGISTER)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let registration = validation::registration(new, ctx.now().date_naive())?;
            let keys = tx.keys().await?;
            let id: PatientId = new_id();
            let (gender, preferred_language) = (registration.gender, registration.preferred_language.clone());
            let identity = registration.numbered(id);
            let known = known_already(&tx, &keys, &identity).await?;
            if known > 0 && !accepted {
                return Err(Stop::refuse(
                    Refusal::PossibleDuplicate,
                    &[],
                    "the facility may know this person already: look at the possible duplicates, or accept them",
                ));
            }
            let row = NewPatient {
                facility_id: ctx.facility(),
                id,
                identity: sealing::seal_identity(&keys, id, &identity)?,
                gender,
                preferred_language,
                registered_by: ctx.user().ok(),
                created_at: ctx.now(),
                updated_at: ctx.now(),
            };
            repository::patients::insert(tx.db()?, row).await?;
            repository::terms::replace(tx.db()?, ctx.facility(), id, sealing::terms(&keys, &identity)).await?;
            tx.audit(Subject::of(id).in_record_of(id), json!({ "acceptedDuplicates": known }));
            treat_from_now(&tx, id).await?;
            Ok(id)
        })
        .await
}

/// How many likely duplicates there are. Registrations of people born on one day wait for each other, so that
/// the second of two that are sent at once sees the first.
async fn known_already(tx: &Tx, keys: &FacilityKeys, identity: &Identity) -> Result<usize> {
    let probes = sealing::duplicate_probes(keys, identity);
    if let Some(birth) = probes.iter().filter(|term| term.kind == TermKind::BirthDate).map(|term| term.hash).min() {
        repository::terms::lock(tx.db()?, birth).await?;
    }
    Ok(likely(tx.db()?, tx.ctx().facility(), keys, identity, &probes).await?.len())
}

/// Opens the chart to the therapist who registered it: a restricted one could not read it otherwise.
async fn treat_from_now(tx: &Tx, patient: PatientId) -> Result<(), Stop<Refusal>> {
    let ctx = tx.ctx();
    if !tx.roles().contains(&Role::Therapist) {
        return Ok(());
    }
    let relationship = NewCareRelationship {
        facility_id: ctx.facility(),
        id: new_id(),
        patient_id: patient,
        user_id: ctx.user()?,
        kind: CareRelationshipKind::Therapist,
        started_at: ctx.now(),
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    let subject = Subject::of(relationship.id).in_record_of(patient);
    tx.audit_as(&policy::CARE_TEAM_START, subject, json!({ "by": "registration" }));
    repository::care::insert_relationship(tx.db()?, relationship).await
}
