//! Patients with what they are found by, a contact each, and their visits.

use anamnesis::crypto::blind_index::Identity;
use anamnesis::crypto::{ColumnId, FacilityKeys};
use anamnesis::ids::TypedId as _;
use anamnesis::phi::Phi;
use chrono::{Days, NaiveDate, TimeDelta};
use indicatif::ProgressBar;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use tokio_postgres::Client;
use uuid::Uuid;

use super::copy::{Copy, Value};
use super::{Facility, Maker};
use crate::Result;

/// Names that are common enough for a search to find some, and many enough for it not to find all.
const GIVEN: &[&str] = &[
    "Ada", "Amir", "Anna", "Ben", "Carla", "Chen", "Clara", "Daniel", "Dora", "Elena", "Elias", "Emma", "Felix",
    "Finn", "Grace", "Hana", "Ines", "Ivan", "Jamal", "Jonas", "Julia", "Kai", "Lara", "Leo", "Lina", "Lucia", "Malik",
    "Maria", "Mateo", "Mira", "Nadia", "Noah", "Nora", "Omar", "Oscar", "Paula", "Pedro", "Priya", "Rosa", "Sami",
    "Sara", "Sofia", "Tariq", "Tessa", "Theo", "Uma", "Vera", "Viktor", "Wanda", "Yusuf", "Zoe",
];
const FAMILY: &[&str] = &[
    "Abara", "Adler", "Alvarez", "Andersen", "Baker", "Banerjee", "Bauer", "Becker", "Carter", "Castro", "Chavez",
    "Cohen", "Costa", "Diaz", "Dubois", "Evans", "Fischer", "Flores", "Fontaine", "Garcia", "Gruber", "Haddad",
    "Hansen", "Hughes", "Ito", "Ivanov", "Jensen", "Johnson", "Kaya", "Keller", "Khan", "Kowalski", "Larsen", "Lopez",
    "Martin", "Mbeki", "Meyer", "Moreau", "Nakamura", "Novak", "Nguyen", "Okafor", "Olsen", "Patel", "Pereira",
    "Petrov", "Quinn", "Ramos", "Reyes", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Sousa", "Tanaka", "Torres",
    "Vargas", "Weber", "Young", "Zhang",
];
const DAYS_OF_BIRTH: u64 = 25_000;

struct Patient {
    id: Uuid,
    given: &'static str,
    family: &'static str,
    birth: NaiveDate,
    mrn: String,
    phone: String,
}

/// Makes the patients of a facility; gives their ids.
pub async fn make(maker: &mut Maker, client: &Client, facility: &Facility, bar: &ProgressBar) -> Result<Vec<Uuid>> {
    let keys = maker.app.keys_of_facility(facility.id).await?;
    let first = NaiveDate::from_ymd_opt(1940, 1, 1).unwrap_or_default();
    let patients: Vec<Patient> = (0..facility.patients)
        .map(|number| Patient {
            id: Uuid::now_v7(),
            given: GIVEN.choose(&mut maker.random).copied().unwrap_or("Ada"),
            family: FAMILY.choose(&mut maker.random).copied().unwrap_or("Adler"),
            birth: first.checked_add_days(Days::new(maker.random.random_range(0..DAYS_OF_BIRTH))).unwrap_or(first),
            mrn: format!("B{number:08}"),
            phone: format!("+1555{:07}", maker.random.random_range(0..10_000_000)),
        })
        .collect();
    write_patients(maker, client, facility, &keys, &patients, bar).await?;
    write_terms(client, facility, &keys, &patients).await?;
    write_contacts(maker, client, facility, &keys, &patients).await?;
    write_visits(maker, client, facility, &keys, &patients, bar).await?;
    Ok(patients.into_iter().map(|patient| patient.id).collect())
}

async fn write_patients(
    maker: &Maker,
    client: &Client,
    facility: &Facility,
    keys: &FacilityKeys,
    patients: &[Patient],
    bar: &ProgressBar,
) -> Result<()> {
    let mut rows = Copy::into(
        client,
        "patients",
        "facility_id, id, mrn_ciphertext, mrn_index, given_name_ciphertext, family_name_ciphertext, \
         birth_date_ciphertext, phone_ciphertext, gender, registered_by, created_at, updated_at",
    )
    .await?;
    for patient in patients {
        let seal = |column: &'static str, text: &str| {
            keys.fields.encrypt_text(ColumnId::new("patients", column), patient.id, &Phi::from(text))
        };
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Uuid(patient.id),
            Value::Bytes(&seal("mrn", &patient.mrn)?),
            Value::Int(keys.index.mrn(&patient.mrn).ok_or("a record number without an index")?),
            Value::Bytes(&seal("given_name", patient.given)?),
            Value::Bytes(&seal("family_name", patient.family)?),
            Value::Bytes(&seal("birth_date", &patient.birth.to_string())?),
            Value::Bytes(&seal("phone", &patient.phone)?),
            Value::Word("unknown"),
            Value::Uuid(maker.user.uuid()),
            Value::Time(maker.now),
            Value::Time(maker.now),
        ])
        .await?;
        bar.inc(1);
    }
    rows.finish().await
}

async fn write_terms(client: &Client, facility: &Facility, keys: &FacilityKeys, patients: &[Patient]) -> Result<()> {
    let mut rows = Copy::into(client, "patient_terms", "facility_id, term, patient_id").await?;
    for patient in patients {
        let identity = Identity {
            given_names: vec![patient.given],
            family_names: vec![patient.family],
            birth_date: Some(patient.birth),
            phones: vec![&patient.phone],
            mrn: Some(&patient.mrn),
            ..Identity::default()
        };
        let mut terms: Vec<i64> = keys.index.terms_of(&identity).into_iter().map(|term| term.hash).collect();
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            rows.row(&[Value::Uuid(facility.id.uuid()), Value::Int(term), Value::Uuid(patient.id)]).await?;
        }
    }
    rows.finish().await
}

async fn write_contacts(
    maker: &Maker,
    client: &Client,
    facility: &Facility,
    keys: &FacilityKeys,
    patients: &[Patient],
) -> Result<()> {
    let mut rows = Copy::into(
        client,
        "patient_contacts",
        "facility_id, id, patient_id, name_ciphertext, relationship, phone_ciphertext, emergency, created_at, updated_at",
    )
    .await?;
    for patient in patients {
        let id = Uuid::now_v7();
        let seal = |column: &'static str, text: &str| {
            keys.fields.encrypt_text(ColumnId::new("patient_contacts", column), id, &Phi::from(text))
        };
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Uuid(id),
            Value::Uuid(patient.id),
            Value::Bytes(&seal("name", &format!("Kim {}", patient.family))?),
            Value::Word("relative"),
            Value::Bytes(&seal("phone", &patient.phone)?),
            Value::Bool(true),
            Value::Time(maker.now),
            Value::Time(maker.now),
        ])
        .await?;
    }
    rows.finish().await
}

async fn write_visits(
    maker: &mut Maker,
    client: &Client,
    facility: &Facility,
    keys: &FacilityKeys,
    patients: &[Patient],
    bar: &ProgressBar,
) -> Result<()> {
    let mut rows = Copy::into(
        client,
        "patient_visits",
        "facility_id, id, patient_id, visited_at, department, attending_id, reason_ciphertext, created_at, updated_at",
    )
    .await?;
    for number in 0..facility.visits {
        let id = Uuid::now_v7();
        let reason = ColumnId::new("patient_visits", "reason");
        let sealed = keys.fields.encrypt_text(reason, id, &Phi::from("Follow-up of low mood and poor sleep"))?;
        let visited = maker.now - TimeDelta::hours(maker.random.random_range(24..24 * 1500));
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Uuid(id),
            Value::Uuid(patients[number % patients.len()].id),
            Value::Time(visited),
            Value::Word("outpatient"),
            Value::Uuid(maker.user.uuid()),
            Value::Bytes(&sealed),
            Value::Time(maker.now),
            Value::Time(maker.now),
        ])
        .await?;
        bar.inc(1);
    }
    rows.finish().await
}
