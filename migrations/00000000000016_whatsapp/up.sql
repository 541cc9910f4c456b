-- WhatsApp: the numbers a facility is reached at, who writes to them, and what becomes of what is answered.

CREATE TABLE whatsapp_integrations (
    facility_id uuid NOT NULL CONSTRAINT whatsapp_integrations_facility_id_fkey REFERENCES facilities (id),
    id uuid NOT NULL,
    name text NOT NULL CONSTRAINT whatsapp_integrations_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    phone_number_id text NOT NULL,
    business_account_id text,
    display_phone_number text,
    verified_name text,
    access_token_ciphertext bytea NOT NULL,
    app_secret_ciphertext bytea NOT NULL,
    verify_token_hash bytea NOT NULL CONSTRAINT whatsapp_integrations_verify_token_hash_check CHECK (octet_length(verify_token_hash) = 32),
    status text NOT NULL CONSTRAINT whatsapp_integrations_status_check CHECK (status IN ('pending', 'active', 'disabled')),
    verified_at timestamptz,
    last_fault text,
    last_fault_at timestamptz,
    business_hours jsonb,
    closed_reply text,
    crisis_reply text,
    hand_over_to uuid NOT NULL CONSTRAINT whatsapp_integrations_hand_over_to_fkey REFERENCES users (id),
    created_by uuid NOT NULL CONSTRAINT whatsapp_integrations_created_by_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT whatsapp_integrations_facility_id_phone_number_id_key UNIQUE (facility_id, phone_number_id),
    CONSTRAINT whatsapp_integrations_active_check CHECK (status <> 'active' OR verified_at IS NOT NULL),
    CONSTRAINT whatsapp_integrations_last_fault_check CHECK ((last_fault IS NULL) = (last_fault_at IS NULL))
);
CREATE INDEX whatsapp_integrations_hand_over_to_idx ON whatsapp_integrations (hand_over_to);
CREATE INDEX whatsapp_integrations_created_by_idx ON whatsapp_integrations (created_by);
COMMENT ON TABLE whatsapp_integrations IS 'A WhatsApp number of a facility. Nothing of a patient belongs here.';
COMMENT ON COLUMN whatsapp_integrations.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN whatsapp_integrations.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN whatsapp_integrations.name IS 'operational: what it is called';
COMMENT ON COLUMN whatsapp_integrations.phone_number_id IS 'identifier: the number as the provider knows it';
COMMENT ON COLUMN whatsapp_integrations.business_account_id IS 'identifier: the business account at the provider; null when it is not known';
COMMENT ON COLUMN whatsapp_integrations.display_phone_number IS 'operational: the number as people dial it; null until the provider was asked';
COMMENT ON COLUMN whatsapp_integrations.verified_name IS 'operational: under which name it is shown; null until the provider was asked, or when it has none';
COMMENT ON COLUMN whatsapp_integrations.access_token_ciphertext IS 'phi: what lets the server send; no PHI, and kept like it';
COMMENT ON COLUMN whatsapp_integrations.app_secret_ciphertext IS 'phi: what calls of the provider are signed with; no PHI, and kept like it';
COMMENT ON COLUMN whatsapp_integrations.verify_token_hash IS 'operational: hash of the token the provider shows when it is told of the webhook';
COMMENT ON COLUMN whatsapp_integrations.status IS 'operational: whether it takes and sends messages';
COMMENT ON COLUMN whatsapp_integrations.verified_at IS 'operational: when the provider last showed the token; null before';
COMMENT ON COLUMN whatsapp_integrations.last_fault IS 'operational: code by which the provider last refused the credentials; null when it takes them';
COMMENT ON COLUMN whatsapp_integrations.last_fault_at IS 'operational: when it did; null when it takes them';
COMMENT ON COLUMN whatsapp_integrations.business_hours IS 'operational: when somebody answers, as a list of intervals in the facility''s zone; null for always';
COMMENT ON COLUMN whatsapp_integrations.closed_reply IS 'operational: what is answered outside those hours; null for nothing';
COMMENT ON COLUMN whatsapp_integrations.crisis_reply IS 'operational: what is answered to words of acute danger; null for the text that comes with the server';
COMMENT ON COLUMN whatsapp_integrations.hand_over_to IS 'identifier: who is to see to a conversation in which acute danger is spoken of';
COMMENT ON COLUMN whatsapp_integrations.created_by IS 'identifier: who set it up';
COMMENT ON COLUMN whatsapp_integrations.created_at IS 'operational: when the row was made';
COMMENT ON COLUMN whatsapp_integrations.updated_at IS 'operational: when the row last changed';
COMMENT ON COLUMN whatsapp_integrations.version IS 'operational: optimistic concurrency counter';
SELECT protect_tenant_table('whatsapp_integrations');

CREATE TABLE whatsapp_integration_members (
    facility_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    user_id uuid NOT NULL CONSTRAINT whatsapp_integration_members_user_id_fkey REFERENCES users (id),
    PRIMARY KEY (facility_id, integration_id, user_id),
    CONSTRAINT whatsapp_integration_members_facility_id_integration_id_fkey FOREIGN KEY (facility_id, integration_id) REFERENCES whatsapp_integrations (facility_id, id)
);
CREATE INDEX whatsapp_integration_members_user_id_idx ON whatsapp_integration_members (user_id);
COMMENT ON TABLE whatsapp_integration_members IS 'Who takes part in what is written to a number from now on.';
COMMENT ON COLUMN whatsapp_integration_members.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN whatsapp_integration_members.integration_id IS 'identifier: the number';
COMMENT ON COLUMN whatsapp_integration_members.user_id IS 'identifier: who takes part';
SELECT protect_tenant_table('whatsapp_integration_members');

CREATE TABLE whatsapp_contacts (
    facility_id uuid NOT NULL,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    phone_ciphertext bytea NOT NULL,
    phone_term bigint NOT NULL,
    name_ciphertext bytea,
    patient_id uuid,
    linked_by uuid CONSTRAINT whatsapp_contacts_linked_by_fkey REFERENCES users (id),
    linked_at timestamptz,
    last_received_at timestamptz NOT NULL,
    opted_out_at timestamptz,
    closed_replied_at timestamptz,
    crisis_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, id),
    CONSTRAINT whatsapp_contacts_facility_id_integration_id_fkey FOREIGN KEY (facility_id, integration_id) REFERENCES whatsapp_integrations (facility_id, id),
    CONSTRAINT whatsapp_contacts_facility_id_patient_id_fkey FOREIGN KEY (facility_id, patient_id) REFERENCES patients (facility_id, id),
    CONSTRAINT whatsapp_contacts_facility_id_integration_id_phone_term_key UNIQUE (facility_id, integration_id, phone_term),
    CONSTRAINT whatsapp_contacts_linked_check CHECK ((patient_id IS NULL) = (linked_by IS NULL) AND (patient_id IS NULL) = (linked_at IS NULL))
);
CREATE INDEX whatsapp_contacts_facility_id_patient_id_idx ON whatsapp_contacts (facility_id, patient_id) WHERE patient_id IS NOT NULL;
CREATE INDEX whatsapp_contacts_linked_by_idx ON whatsapp_contacts (linked_by) WHERE linked_by IS NOT NULL;
COMMENT ON TABLE whatsapp_contacts IS 'Somebody who has written to a number of the facility.';
COMMENT ON COLUMN whatsapp_contacts.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN whatsapp_contacts.id IS 'identifier: UUIDv7';
COMMENT ON COLUMN whatsapp_contacts.integration_id IS 'identifier: the number they wrote to';
COMMENT ON COLUMN whatsapp_contacts.phone_ciphertext IS 'phi: their own number, in digits with the country';
COMMENT ON COLUMN whatsapp_contacts.phone_term IS 'identifier: keyed hash of their number';
COMMENT ON COLUMN whatsapp_contacts.name_ciphertext IS 'phi: what they call themselves; null when they say nothing';
COMMENT ON COLUMN whatsapp_contacts.patient_id IS 'identifier: which patient they are, as somebody here says; null while nobody has said so';
COMMENT ON COLUMN whatsapp_contacts.linked_by IS 'identifier: who said which patient they are; null while nobody has';
COMMENT ON COLUMN whatsapp_contacts.linked_at IS 'operational: when that was said; null while nobody has';
COMMENT ON COLUMN whatsapp_contacts.last_received_at IS 'operational: when they last wrote; they may be answered for a day from then';
COMMENT ON COLUMN whatsapp_contacts.opted_out_at IS 'operational: since when they want to hear nothing; null when they do';
COMMENT ON COLUMN whatsapp_contacts.closed_replied_at IS 'operational: when they were last told that nobody is there; null before';
COMMENT ON COLUMN whatsapp_contacts.crisis_at IS 'operational: when words of acute danger of theirs last raised an alarm; null before';
COMMENT ON COLUMN whatsapp_contacts.created_at IS 'operational: when the row was made';
SELECT protect_tenant_table('whatsapp_contacts');

CREATE TABLE whatsapp_deliveries (
    facility_id uuid NOT NULL,
    message_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    automatic text CONSTRAINT whatsapp_deliveries_automatic_check CHECK (automatic IN ('closed', 'crisis')),
    status text NOT NULL CONSTRAINT whatsapp_deliveries_status_check CHECK (status IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed')),
    wamid_term bigint,
    error_code text,
    attempts integer NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL,
    sending_at timestamptz,
    uncertain_at timestamptz,
    sent_at timestamptz,
    delivered_at timestamptz,
    read_at timestamptz,
    failed_at timestamptz,
    PRIMARY KEY (facility_id, message_id),
    CONSTRAINT whatsapp_deliveries_facility_id_message_id_fkey FOREIGN KEY (facility_id, message_id) REFERENCES messages (facility_id, id),
    CONSTRAINT whatsapp_deliveries_facility_id_contact_id_fkey FOREIGN KEY (facility_id, contact_id) REFERENCES whatsapp_contacts (facility_id, id),
    CONSTRAINT whatsapp_deliveries_facility_id_wamid_term_key UNIQUE (facility_id, wamid_term),
    CONSTRAINT whatsapp_deliveries_failed_check CHECK ((status = 'failed') = (failed_at IS NOT NULL))
);
CREATE INDEX whatsapp_deliveries_facility_id_contact_id_idx ON whatsapp_deliveries (facility_id, contact_id, message_id);
CREATE INDEX whatsapp_deliveries_under_way_idx ON whatsapp_deliveries (facility_id, contact_id) WHERE status IN ('queued', 'sending');
COMMENT ON TABLE whatsapp_deliveries IS 'What becomes of a message on its way to somebody outside.';
COMMENT ON COLUMN whatsapp_deliveries.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN whatsapp_deliveries.message_id IS 'identifier: the message; what the provider is given to name it by';
COMMENT ON COLUMN whatsapp_deliveries.contact_id IS 'identifier: to whom it goes';
COMMENT ON COLUMN whatsapp_deliveries.automatic IS 'operational: which answer of the server itself it is; null for what somebody wrote';
COMMENT ON COLUMN whatsapp_deliveries.status IS 'operational: how far it has got';
COMMENT ON COLUMN whatsapp_deliveries.wamid_term IS 'identifier: keyed hash of the id the provider gave it, which holds a telephone number; null until it did';
COMMENT ON COLUMN whatsapp_deliveries.error_code IS 'operational: why it was last not taken, a code of the provider or of ours; null when it was';
COMMENT ON COLUMN whatsapp_deliveries.attempts IS 'operational: how often the provider was asked to take it';
COMMENT ON COLUMN whatsapp_deliveries.queued_at IS 'operational: when it was to be sent, last';
COMMENT ON COLUMN whatsapp_deliveries.sending_at IS 'operational: when the provider was last asked to take it; null before';
COMMENT ON COLUMN whatsapp_deliveries.uncertain_at IS 'operational: since when it is not known whether the provider took it; null while it is known';
COMMENT ON COLUMN whatsapp_deliveries.sent_at IS 'operational: when the provider took it; null before';
COMMENT ON COLUMN whatsapp_deliveries.delivered_at IS 'operational: when it reached a device; null before';
COMMENT ON COLUMN whatsapp_deliveries.read_at IS 'operational: when it was read; null before, and where readers do not say so';
COMMENT ON COLUMN whatsapp_deliveries.failed_at IS 'operational: when it was given up; null unless it was';
SELECT protect_tenant_table('whatsapp_deliveries');

CREATE TABLE whatsapp_receipts (
    facility_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    wamid_term bigint NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (facility_id, integration_id, wamid_term),
    CONSTRAINT whatsapp_receipts_facility_id_integration_id_fkey FOREIGN KEY (facility_id, integration_id) REFERENCES whatsapp_integrations (facility_id, id)
);
CREATE INDEX whatsapp_receipts_facility_id_received_at_idx ON whatsapp_receipts (facility_id, integration_id, received_at);
COMMENT ON TABLE whatsapp_receipts IS 'Messages that have come, so that none comes twice; kept for as long as one could come again.';
COMMENT ON COLUMN whatsapp_receipts.facility_id IS 'identifier: the facility';
COMMENT ON COLUMN whatsapp_receipts.integration_id IS 'identifier: the number';
COMMENT ON COLUMN whatsapp_receipts.wamid_term IS 'identifier: keyed hash of the id the provider gave it, which holds a telephone number';
COMMENT ON COLUMN whatsapp_receipts.received_at IS 'operational: when it came';
SELECT protect_tenant_table('whatsapp_receipts');

ALTER TABLE conversations ADD COLUMN whatsapp_contact_id uuid;
ALTER TABLE conversations ADD CONSTRAINT conversations_facility_id_whatsapp_contact_id_fkey FOREIGN KEY (facility_id, whatsapp_contact_id) REFERENCES whatsapp_contacts (facility_id, id);
ALTER TABLE conversations ADD CONSTRAINT conversations_whatsapp_check CHECK ((kind = 'whatsapp') = (whatsapp_contact_id IS NOT NULL));
CREATE INDEX conversations_facility_id_whatsapp_contact_id_idx ON conversations (facility_id, whatsapp_contact_id, id) WHERE whatsapp_contact_id IS NOT NULL;
COMMENT ON COLUMN conversations.whatsapp_contact_id IS 'identifier: with whom outside it is; null when it is among users';

ALTER TABLE messages ADD COLUMN contact_id uuid;
ALTER TABLE messages ADD CONSTRAINT messages_facility_id_contact_id_fkey FOREIGN KEY (facility_id, contact_id) REFERENCES whatsapp_contacts (facility_id, id);
ALTER TABLE messages ADD CONSTRAINT messages_contact_check CHECK (contact_id IS NULL OR (author_user_id IS NULL AND kind = 'text'));
CREATE INDEX messages_facility_id_contact_id_idx ON messages (facility_id, contact_id) WHERE contact_id IS NOT NULL;
COMMENT ON COLUMN messages.contact_id IS 'identifier: who outside wrote it; null for everybody else';
