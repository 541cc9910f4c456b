-- Searches that a user keeps, to be run again.

CREATE TABLE saved_searches (
    facility_id uuid NOT NULL CONSTRAINT saved_searches_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT saved_searches_user_id_fkey REFERENCES users (id),
    name_ciphertext bytea NOT NULL,
    search_ciphertext bytea NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id)
);
CREATE INDEX saved_searches_facility_id_user_id_idx ON saved_searches (facility_id, user_id, id);
CREATE INDEX saved_searches_user_id_idx ON saved_searches (user_id);
COMMENT ON TABLE saved_searches IS 'A search that a user keeps, to be run again.';
COMMENT ON COLUMN saved_searches.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN saved_searches.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN saved_searches.user_id IS 'identifier: whose it is; nobody else sees it';
COMMENT ON COLUMN saved_searches.name_ciphertext IS 'phi: what its owner calls it';
COMMENT ON COLUMN saved_searches.search_ciphertext IS 'phi: query, mode and filter as JSON (documents::search::saved)';
COMMENT ON COLUMN saved_searches.version IS 'operational: optimistic concurrency counter';
COMMENT ON COLUMN saved_searches.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN saved_searches.updated_at IS 'operational: when the row last changed';
SELECT protect_tenant_table('saved_searches');
