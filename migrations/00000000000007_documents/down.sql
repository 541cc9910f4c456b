DROP TABLE search_cells, search_statistics, lexeme_spellings, chunk_terms, chunk_embeddings, document_chunks, document_signatures, document_patients, documents;
DROP FUNCTION document_signatures_are_final(), document_patients_signed_is_final(), documents_signed_is_final(), documents_class_is_final();
DROP TABLE embedding_models;
