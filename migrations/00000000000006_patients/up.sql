-- People in care. Identifying columns are encrypted under the facility's data key; what must be found
-- is beside them as keyed blind indexes.

CREATE TABLE patients (
    facility_id uuid NOT NULL CONSTRAINT patients_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    mrn_ciphertext bytea NOT NULL,
    mrn_index bigint NOT NULL,
    given_name_ciphertext bytea NOT NULL,
    middle_name_ciphertext bytea,
    family_name_ciphertext bytea NOT NULL,
    preferred_name_ciphertext bytea,
    birth_date_ciphertext bytea NOT NULL,
    ssn_ciphertext bytea,
    phone_ciphertext bytea,
    email_ciphertext bytea,
    address_ciphertext bytea,
    gender text NOT NULL CONSTRAINT patients_gender_check CHECK (gender IN ('female', 'male', 'non_binary', 'other', 'unknown')),
    preferred_language text,
    status text NOT NULL DEFAULT 'active' CONSTRAINT patients_status_check CHECK (status IN ('active', 'archived')),
    archived_at timestamptz,
    registered_by uuid CONSTRAINT patients_registered_by_fkey REFERENCES users (id),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT patients_facility_id_mrn_key UNIQUE (facility_id, mrn_index),
    CONSTRAINT patients_archived_check CHECK ((status = 'archived') = (archived_at IS NOT NULL))
);
CREATE INDEX patients_facility_id_status_idx ON patients (facility_id, status, id);
CREATE INDEX patients_registered_by_idx ON patients (registered_by);
COMMENT ON TABLE patients IS 'A person in care, one record per facility.';
COMMENT ON COLUMN patients.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patients.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN patients.mrn_ciphertext IS 'phi: medical record number';
COMMENT ON COLUMN patients.mrn_index IS 'identifier: blind index of the medical record number';
COMMENT ON COLUMN patients.given_name_ciphertext IS 'phi: given name';
COMMENT ON COLUMN patients.middle_name_ciphertext IS 'phi: middle name';
COMMENT ON COLUMN patients.family_name_ciphertext IS 'phi: family name';
COMMENT ON COLUMN patients.preferred_name_ciphertext IS 'phi: name the person goes by';
COMMENT ON COLUMN patients.birth_date_ciphertext IS 'phi: date of birth, ISO 8601';
COMMENT ON COLUMN patients.ssn_ciphertext IS 'phi: social security number, nine digits';
COMMENT ON COLUMN patients.phone_ciphertext IS 'phi: telephone number';
COMMENT ON COLUMN patients.email_ciphertext IS 'phi: e-mail address';
COMMENT ON COLUMN patients.address_ciphertext IS 'phi: postal address as JSON (patients::Address)';
COMMENT ON COLUMN patients.gender IS 'clinical: administrative gender';
COMMENT ON COLUMN patients.preferred_language IS 'operational: BCP 47 language tag';
COMMENT ON COLUMN patients.status IS 'operational: active or archived';
COMMENT ON COLUMN patients.archived_at IS 'operational: when archived; null while active';
COMMENT ON COLUMN patients.registered_by IS 'identifier: who registered; null for imports';
COMMENT ON COLUMN patients.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN patients.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN patients.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('patients', 'SELECT, INSERT, UPDATE');

-- One row a search term: names (exact, prefix, sounds-like), birth date, telephone, e-mail, last four of the
-- SSN. The kind is folded into the keyed hash, so equal values of different kinds or facilities differ.
CREATE TABLE patient_terms (
    facility_id uuid NOT NULL,
    term bigint NOT NULL,
    patient_id uuid NOT NULL,
    PRIMARY KEY (facility_id, term, patient_id),
    CONSTRAINT patient_terms_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id)
);
CREATE INDEX patient_terms_facility_id_patient_id_idx ON patient_terms (facility_id, patient_id);
COMMENT ON TABLE patient_terms IS 'Blind index terms of a patient.';
COMMENT ON COLUMN patient_terms.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patient_terms.term IS 'identifier: keyed hash of kind and normalised value';
COMMENT ON COLUMN patient_terms.patient_id IS 'identifier: the patient';
SELECT protect_tenant_table('patient_terms');

CREATE TABLE patient_contacts (
    facility_id uuid NOT NULL CONSTRAINT patient_contacts_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    name_ciphertext bytea NOT NULL,
    relationship text NOT NULL CONSTRAINT patient_contacts_relationship_check CHECK (relationship IN ('spouse', 'partner', 'parent', 'child', 'sibling', 'guardian', 'relative', 'friend', 'caregiver', 'other')),
    phone_ciphertext bytea,
    email_ciphertext bytea,
    emergency boolean NOT NULL,
    legal_guardian boolean NOT NULL DEFAULT false,
    priority smallint NOT NULL DEFAULT 1 CONSTRAINT patient_contacts_priority_check CHECK (priority BETWEEN 1 AND 99),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT patient_contacts_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id)
);
CREATE INDEX patient_contacts_facility_id_patient_id_idx ON patient_contacts (facility_id, patient_id);
COMMENT ON TABLE patient_contacts IS 'Someone to be told, or who speaks for a patient.';
COMMENT ON COLUMN patient_contacts.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patient_contacts.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN patient_contacts.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN patient_contacts.name_ciphertext IS 'phi: name of the contact';
COMMENT ON COLUMN patient_contacts.relationship IS 'clinical: what the contact is to the patient';
COMMENT ON COLUMN patient_contacts.phone_ciphertext IS 'phi: telephone number';
COMMENT ON COLUMN patient_contacts.email_ciphertext IS 'phi: e-mail address';
COMMENT ON COLUMN patient_contacts.emergency IS 'operational: to be called in an emergency';
COMMENT ON COLUMN patient_contacts.legal_guardian IS 'operational: decides for the patient by law';
COMMENT ON COLUMN patient_contacts.priority IS 'operational: order in which contacts are called';
COMMENT ON COLUMN patient_contacts.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN patient_contacts.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN patient_contacts.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('patient_contacts');

CREATE TABLE patient_coverages (
    facility_id uuid NOT NULL CONSTRAINT patient_coverages_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    payer_name text NOT NULL,
    plan_name text,
    member_number_ciphertext bytea NOT NULL,
    group_number_ciphertext bytea,
    subscriber_name_ciphertext bytea,
    subscriber_relationship text NOT NULL CONSTRAINT patient_coverages_subscriber_relationship_check CHECK (subscriber_relationship IN ('self', 'spouse', 'child', 'other')),
    priority smallint NOT NULL CONSTRAINT patient_coverages_priority_check CHECK (priority BETWEEN 1 AND 9),
    effective_on date NOT NULL,
    ends_on date,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT patient_coverages_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT patient_coverages_ends_on_check CHECK (ends_on >= effective_on)
);
CREATE INDEX patient_coverages_facility_id_patient_id_idx ON patient_coverages (facility_id, patient_id);
COMMENT ON TABLE patient_coverages IS 'An insurance coverage of a patient.';
COMMENT ON COLUMN patient_coverages.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patient_coverages.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN patient_coverages.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN patient_coverages.payer_name IS 'operational: insurer';
COMMENT ON COLUMN patient_coverages.plan_name IS 'operational: plan';
COMMENT ON COLUMN patient_coverages.member_number_ciphertext IS 'phi: member number';
COMMENT ON COLUMN patient_coverages.group_number_ciphertext IS 'phi: group number';
COMMENT ON COLUMN patient_coverages.subscriber_name_ciphertext IS 'phi: name of the subscriber when it is not the patient';
COMMENT ON COLUMN patient_coverages.subscriber_relationship IS 'operational: what the patient is to the subscriber';
COMMENT ON COLUMN patient_coverages.priority IS 'operational: 1 primary, 2 secondary and so on';
COMMENT ON COLUMN patient_coverages.effective_on IS 'operational: first day covered';
COMMENT ON COLUMN patient_coverages.ends_on IS 'operational: last day covered; null while open';
COMMENT ON COLUMN patient_coverages.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN patient_coverages.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN patient_coverages.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('patient_coverages', 'SELECT, INSERT, UPDATE');

-- Reference data, the same for all facilities: ICD-10-CM, April 2026, a work of the US government.
CREATE TABLE icd10_codes (
    code text PRIMARY KEY,
    description text NOT NULL,
    billable boolean NOT NULL
);
-- No row-level security here, so the planner may use these operators as index conditions. `simple` finds
-- beginnings of words while someone types, `english` other forms of whole words.
CREATE INDEX icd10_codes_code_pattern_idx ON icd10_codes (code text_pattern_ops);
CREATE INDEX icd10_codes_description_simple_idx ON icd10_codes USING gin (to_tsvector('simple', description));
CREATE INDEX icd10_codes_description_english_idx ON icd10_codes USING gin (to_tsvector('english', description));
COMMENT ON TABLE icd10_codes IS 'ICD-10-CM codes. Reference data, not tenant-owned.';
COMMENT ON COLUMN icd10_codes.code IS 'operational: code with its dot';
COMMENT ON COLUMN icd10_codes.description IS 'operational: official description';
COMMENT ON COLUMN icd10_codes.billable IS 'operational: whether it may be billed; headings may not';
GRANT SELECT ON icd10_codes TO anamnesis_server;

CREATE TABLE patient_visits (
    facility_id uuid NOT NULL CONSTRAINT patient_visits_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    visited_at timestamptz NOT NULL,
    discharged_at timestamptz,
    department text,
    attending_id uuid CONSTRAINT patient_visits_attending_id_fkey REFERENCES users (id),
    reason_ciphertext bytea,
    notes_ciphertext bytea,
    vitals_ciphertext bytea,
    medications_ciphertext bytea,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT patient_visits_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT patient_visits_discharged_at_check CHECK (discharged_at >= visited_at)
);
CREATE INDEX patient_visits_facility_id_patient_id_idx ON patient_visits (facility_id, patient_id, visited_at, id);
CREATE INDEX patient_visits_attending_id_idx ON patient_visits (attending_id);
COMMENT ON TABLE patient_visits IS 'A visit in the history of a patient.';
COMMENT ON COLUMN patient_visits.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patient_visits.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN patient_visits.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN patient_visits.visited_at IS 'clinical: begin of the visit';
COMMENT ON COLUMN patient_visits.discharged_at IS 'clinical: end of the visit; null while it lasts';
COMMENT ON COLUMN patient_visits.department IS 'operational: department or unit';
COMMENT ON COLUMN patient_visits.attending_id IS 'identifier: attending provider';
COMMENT ON COLUMN patient_visits.reason_ciphertext IS 'phi: reason for the visit';
COMMENT ON COLUMN patient_visits.notes_ciphertext IS 'phi: remarks';
COMMENT ON COLUMN patient_visits.vitals_ciphertext IS 'phi: vital signs as JSON (patients::Vitals)';
COMMENT ON COLUMN patient_visits.medications_ciphertext IS 'phi: medications as JSON (patients::Medication)';
COMMENT ON COLUMN patient_visits.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN patient_visits.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN patient_visits.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('patient_visits', 'SELECT, INSERT, UPDATE');

CREATE TABLE visit_diagnoses (
    facility_id uuid NOT NULL CONSTRAINT visit_diagnoses_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    visit_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    icd10_code text NOT NULL CONSTRAINT visit_diagnoses_icd10_code_fkey REFERENCES icd10_codes (code),
    position smallint NOT NULL CONSTRAINT visit_diagnoses_position_check CHECK (position >= 1),
    PRIMARY KEY (facility_id, id),
    CONSTRAINT visit_diagnoses_facility_id_visit_id_fkey FOREIGN KEY (facility_id, visit_id) REFERENCES patient_visits (facility_id, id),
    CONSTRAINT visit_diagnoses_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT visit_diagnoses_facility_id_visit_id_icd10_code_key UNIQUE (facility_id, visit_id, icd10_code)
);
CREATE INDEX visit_diagnoses_facility_id_patient_id_idx ON visit_diagnoses (facility_id, patient_id);
CREATE INDEX visit_diagnoses_facility_id_icd10_code_idx ON visit_diagnoses (facility_id, icd10_code);
CREATE INDEX visit_diagnoses_icd10_code_idx ON visit_diagnoses (icd10_code);
COMMENT ON TABLE visit_diagnoses IS 'A coded diagnosis of a visit.';
COMMENT ON COLUMN visit_diagnoses.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN visit_diagnoses.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN visit_diagnoses.visit_id IS 'identifier: the visit';
COMMENT ON COLUMN visit_diagnoses.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN visit_diagnoses.icd10_code IS 'clinical: ICD-10-CM code';
COMMENT ON COLUMN visit_diagnoses.position IS 'clinical: 1 is the primary diagnosis';
SELECT protect_tenant_table('visit_diagnoses');

CREATE TABLE patient_allergies (
    facility_id uuid NOT NULL CONSTRAINT patient_allergies_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    substance_ciphertext bytea NOT NULL,
    reaction_ciphertext bytea,
    category text NOT NULL CONSTRAINT patient_allergies_category_check CHECK (category IN ('medication', 'food', 'environment', 'other')),
    severity text NOT NULL CONSTRAINT patient_allergies_severity_check CHECK (severity IN ('mild', 'moderate', 'severe', 'unknown')),
    status text NOT NULL DEFAULT 'active' CONSTRAINT patient_allergies_status_check CHECK (status IN ('active', 'resolved', 'entered_in_error')),
    noted_on date,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT patient_allergies_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id)
);
CREATE INDEX patient_allergies_facility_id_patient_id_idx ON patient_allergies (facility_id, patient_id);
COMMENT ON TABLE patient_allergies IS 'An allergy or intolerance of a patient.';
COMMENT ON COLUMN patient_allergies.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN patient_allergies.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN patient_allergies.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN patient_allergies.substance_ciphertext IS 'phi: what the patient reacts to';
COMMENT ON COLUMN patient_allergies.reaction_ciphertext IS 'phi: how';
COMMENT ON COLUMN patient_allergies.category IS 'clinical: kind of substance';
COMMENT ON COLUMN patient_allergies.severity IS 'clinical: how bad';
COMMENT ON COLUMN patient_allergies.status IS 'clinical: whether it still holds';
COMMENT ON COLUMN patient_allergies.noted_on IS 'clinical: when it was first noted';
COMMENT ON COLUMN patient_allergies.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN patient_allergies.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN patient_allergies.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('patient_allergies', 'SELECT, INSERT, UPDATE');

CREATE TABLE care_relationships (
    facility_id uuid NOT NULL CONSTRAINT care_relationships_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT care_relationships_user_id_fkey REFERENCES users (id),
    kind text NOT NULL CONSTRAINT care_relationships_kind_check CHECK (kind IN ('primary_therapist', 'therapist', 'prescriber', 'case_manager', 'supervisor', 'consultant', 'other')),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT care_relationships_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT care_relationships_ended_at_check CHECK (ended_at >= started_at)
);
CREATE INDEX care_relationships_facility_id_patient_id_idx ON care_relationships (facility_id, patient_id);
CREATE UNIQUE INDEX care_relationships_open_key ON care_relationships (facility_id, user_id, patient_id) WHERE ended_at IS NULL;
CREATE INDEX care_relationships_user_id_idx ON care_relationships (user_id);
COMMENT ON TABLE care_relationships IS 'A provider treating a patient: the row that opens a chart to a restricted therapist.';
COMMENT ON COLUMN care_relationships.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN care_relationships.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN care_relationships.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN care_relationships.user_id IS 'identifier: the provider';
COMMENT ON COLUMN care_relationships.kind IS 'clinical: in which capacity';
COMMENT ON COLUMN care_relationships.started_at IS 'clinical: since when';
COMMENT ON COLUMN care_relationships.ended_at IS 'clinical: until when; null while it lasts';
COMMENT ON COLUMN care_relationships.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN care_relationships.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN care_relationships.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('care_relationships', 'SELECT, INSERT, UPDATE');

CREATE TABLE break_glass_accesses (
    facility_id uuid NOT NULL CONSTRAINT break_glass_accesses_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT break_glass_accesses_user_id_fkey REFERENCES users (id),
    reason_ciphertext bytea NOT NULL,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    reviewed_at timestamptz,
    reviewed_by uuid CONSTRAINT break_glass_accesses_reviewed_by_fkey REFERENCES users (id),
    justified boolean,
    review_note_ciphertext bytea,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT break_glass_accesses_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT break_glass_accesses_expires_at_check CHECK (expires_at > started_at)
);
CREATE INDEX break_glass_accesses_facility_id_patient_id_idx ON break_glass_accesses (facility_id, patient_id);
CREATE INDEX break_glass_accesses_facility_id_user_id_idx ON break_glass_accesses (facility_id, user_id, expires_at);
CREATE INDEX break_glass_accesses_user_id_idx ON break_glass_accesses (user_id);
CREATE INDEX break_glass_accesses_reviewed_by_idx ON break_glass_accesses (reviewed_by);
CREATE INDEX break_glass_accesses_unreviewed_idx ON break_glass_accesses (facility_id, id) WHERE reviewed_at IS NULL;
COMMENT ON TABLE break_glass_accesses IS 'An emergency access to a chart: a reason, an end, a review.';
COMMENT ON COLUMN break_glass_accesses.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN break_glass_accesses.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN break_glass_accesses.patient_id IS 'identifier: the patient';
COMMENT ON COLUMN break_glass_accesses.user_id IS 'identifier: who broke the glass';
COMMENT ON COLUMN break_glass_accesses.reason_ciphertext IS 'phi: why';
COMMENT ON COLUMN break_glass_accesses.started_at IS 'operational: from';
COMMENT ON COLUMN break_glass_accesses.expires_at IS 'operational: until';
COMMENT ON COLUMN break_glass_accesses.reviewed_at IS 'operational: when it was reviewed; null while it waits';
COMMENT ON COLUMN break_glass_accesses.reviewed_by IS 'identifier: who reviewed';
COMMENT ON COLUMN break_glass_accesses.justified IS 'operational: what the review found; null while it waits';
COMMENT ON COLUMN break_glass_accesses.review_note_ciphertext IS 'phi: remark of the reviewer';
COMMENT ON COLUMN break_glass_accesses.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN break_glass_accesses.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN break_glass_accesses.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('break_glass_accesses', 'SELECT, INSERT, UPDATE');
