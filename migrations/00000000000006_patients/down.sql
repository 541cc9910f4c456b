DROP TABLE break_glass_accesses, care_relationships, patient_allergies, visit_diagnoses, patient_visits,
    icd10_codes, patient_coverages, patient_contacts, patient_terms, patients;
