DROP TABLE amendment_requests, note_supervisions, note_template_versions, note_templates, document_versions;
DROP FUNCTION document_versions_are_final(), amendment_decisions_are_final();
