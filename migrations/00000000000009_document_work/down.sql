DROP INDEX documents_facility_id_sha256_idx;
DROP TABLE document_proposals, record_exports, upload_batch_files, upload_batches;
DROP TRIGGER held_is_kept ON document_patients;
DROP TRIGGER held_is_kept ON documents;
DROP TABLE document_holds, document_work;
DROP FUNCTION document_holds_are_final(), document_patients_held_is_kept(), documents_held_is_kept();
