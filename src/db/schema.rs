// Printed from the migrated database; a test prints it again and compares. Do not edit.

diesel::table! {
    /// An assistant as a facility has set it up. Nothing of a patient belongs here.
    agents (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: what it is called
        name -> Text,
        /// operational: what it is for, in words that a model is told
        purpose -> Text,
        /// operational: how it is to answer, in words that a model is told; null for no wishes
        style -> Nullable<Text>,
        /// operational: words and phrases it refuses to speak of, as a list
        boundaries -> Jsonb,
        /// operational: the model it asks; null for the one the server is set up with
        model_name -> Nullable<Text>,
        /// operational: in which documents it may look, of those that whoever asks may see
        retrieval_scope -> Text,
        /// operational: whether it answers
        active -> Bool,
        /// identifier: who set it up
        created_by -> Uuid,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
        /// operational: optimistic concurrency counter
        version -> Integer,
    }
}

diesel::table! {
    /// A request of a patient that a signed note be corrected (45 CFR 164.526).
    amendment_requests (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the note
        document_id -> Uuid,
        /// identifier: who asks
        patient_id -> Uuid,
        /// operational: pending, accepted or denied
        status -> Text,
        /// phi: what is asked for
        request_ciphertext -> Bytea,
        /// identifier: who recorded it
        recorded_by -> Nullable<Uuid>,
        /// operational: last day to decide it
        due_on -> Date,
        /// operational: when the last day was put off, once; null unless it was
        extended_at -> Nullable<Timestamptz>,
        /// phi: why it was put off; null unless it was
        extension_ciphertext -> Nullable<Bytea>,
        /// operational: on what ground it was denied; null unless it was
        denial_ground -> Nullable<Text>,
        /// phi: the written reason; null unless it was denied
        decision_ciphertext -> Nullable<Bytea>,
        /// identifier: who decided it; null before
        decided_by -> Nullable<Uuid>,
        /// operational: when it was decided; null before
        decided_at -> Nullable<Timestamptz>,
        /// identifier: the addendum with the correction; null unless it was accepted
        addendum_id -> Nullable<Uuid>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when it was recorded
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// What became of a question to an assistant: one row for each message of an assistant.
    assistant_answers (facility_id, message_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the message the answer is in
        message_id -> Uuid,
        /// identifier: the message that was asked
        question_id -> Uuid,
        /// identifier: the assistant
        agent_id -> Uuid,
        /// identifier: who asked, as whom the record is looked at
        user_id -> Uuid,
        /// identifier: the session it was asked in: when that has ended, nothing is looked at any more
        session_id -> Uuid,
        /// operational: purpose of use the question was asked for
        purpose -> Text,
        /// operational: whether and how it was answered
        outcome -> Text,
        /// operational: when the answer was complete; null before
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// A signed block of the audit chain of a facility: each holds the hash of the one before.
    audit_blocks (facility_id, number) {
        /// identifier: whose chain
        facility_id -> Uuid,
        /// operational: 1, 2, 3 without a gap
        number -> BigInt,
        /// operational: the epoch of its rows
        epoch -> Integer,
        /// operational: first transaction id covered
        from_transaction -> crate::db::xid8::Xid8,
        /// operational: first transaction id not covered; all below had ended
        to_transaction -> crate::db::xid8::Xid8,
        /// operational: how many rows it covers
        row_count -> Integer,
        /// operational: for each row its id (16 bytes) and SHA-256 (32 bytes), in order
        entries -> Bytea,
        /// operational: hash of the block before; zeros for the first
        previous_hash -> Bytea,
        /// operational: SHA-256 over everything above
        hash -> Bytea,
        /// operational: Ed25519 signature of the hash, naming the audit key that made it
        signature -> Text,
        /// operational: when
        sealed_at -> Timestamptz,
    }
}

diesel::table! {
    /// Who did or saw what, when, for what purpose. Append-only.
    audit_log (facility_id, recorded_at, id) {
        /// identifier: the facility whose chain it belongs to
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: when
        recorded_at -> Timestamptz,
        /// operational: the writing transaction; blocks cover ranges of finished ones
        transaction_id -> crate::db::xid8::Xid8,
        /// operational: raised after a restore into another cluster, whose transaction ids begin anew
        epoch -> Integer,
        /// operational: the request it came from
        request_id -> Nullable<Uuid>,
        /// operational: user, anonymous or system
        actor_kind -> Text,
        /// identifier: who; null for anonymous and system
        user_id -> Nullable<Uuid>,
        /// identifier: in which session
        session_id -> Nullable<Uuid>,
        /// operational: what was done (audit::Action)
        action -> Text,
        /// operational: success, refused (a rule), denied (no permission) or failed
        outcome -> Text,
        /// operational: purpose of use
        purpose -> Text,
        /// identifier: the patient it concerns; null for none or several
        patient_id -> Nullable<Uuid>,
        /// operational: kind of the object
        resource_kind -> Nullable<Text>,
        /// identifier: the object
        resource_id -> Nullable<Uuid>,
        /// operational: ids, counts, names of changed columns; never values
        detail -> Jsonb,
        /// identifier: client address
        ip_address -> Nullable<Text>,
    }
}

diesel::table! {
    /// An emergency access to a chart: a reason, an end, a review.
    break_glass_accesses (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// identifier: who broke the glass
        user_id -> Uuid,
        /// phi: why
        reason_ciphertext -> Bytea,
        /// operational: from
        started_at -> Timestamptz,
        /// operational: until
        expires_at -> Timestamptz,
        /// operational: when it was reviewed; null while it waits
        reviewed_at -> Nullable<Timestamptz>,
        /// identifier: who reviewed
        reviewed_by -> Nullable<Uuid>,
        /// operational: what the review found; null while it waits
        justified -> Nullable<Bool>,
        /// phi: remark of the reviewer
        review_note_ciphertext -> Nullable<Bytea>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A provider treating a patient: the row that opens a chart to a restricted therapist.
    care_relationships (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// identifier: the provider
        user_id -> Uuid,
        /// clinical: in which capacity
        kind -> Text,
        /// clinical: since when
        started_at -> Timestamptz,
        /// clinical: until when; null while it lasts
        ended_at -> Nullable<Timestamptz>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// The vector of a passage under one model.
    chunk_embeddings (facility_id, chunk_id, model_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// operational: the model
        model_id -> SmallInt,
        /// identifier: the passage
        chunk_id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// clinical: the vector, normalised to length 1; it leaks the gist of the text
        embedding -> crate::embedding::halfvec::Halfvec,
        /// operational: the cell it is in (search_cells); 0 for none, which every search reads
        cell -> Integer,
    }
}

diesel::table! {
    /// A lexeme of a passage.
    chunk_terms (facility_id, term, chunk_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: keyed hash of the lexeme
        term -> BigInt,
        /// identifier: the passage
        chunk_id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// operational: times it occurs in the passage
        frequency -> SmallInt,
        /// operational: lexemes in the passage, for ranking without a look-up
        term_count -> SmallInt,
    }
}

diesel::table! {
    /// Which assistants answer in a conversation.
    conversation_agents (facility_id, conversation_id, agent_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the conversation
        conversation_id -> Uuid,
        /// identifier: the assistant
        agent_id -> Uuid,
        /// identifier: the owner of the conversation who invited it
        invited_by -> Uuid,
        /// operational: when it was invited
        joined_at -> Timestamptz,
    }
}

diesel::table! {
    /// What an assistant is to keep in mind when it answers one user, who said so; theirs alone.
    conversation_memories (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: whose it is
        user_id -> Uuid,
        /// identifier: the assistant
        agent_id -> Uuid,
        /// phi: what is to be kept in mind
        fact_ciphertext -> Bytea,
        /// operational: how much it counts when it is new, 0 to 1
        importance -> Double,
        /// operational: after so many days it counts half
        half_life_days -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// Who takes part in a conversation, or did.
    conversation_participants (facility_id, conversation_id, user_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the conversation
        conversation_id -> Uuid,
        /// identifier: who takes part
        user_id -> Uuid,
        /// operational: what they may do in it
        role -> Text,
        /// operational: whether they work here or are in care here, as of when they joined
        party -> Text,
        /// operational: when they joined last
        joined_at -> Timestamptz,
        /// identifier: who invited them; null for who began the conversation, and where the server did
        invited_by -> Nullable<Uuid>,
        /// operational: when they left or were removed; null while they take part
        left_at -> Nullable<Timestamptz>,
        /// operational: until when they want no notifications of it; null when they do
        muted_until -> Nullable<Timestamptz>,
        /// operational: number of the last message that counts as read; goes back when they mark one unread
        last_read_sequence -> BigInt,
        /// operational: number of the last message they ever read: what receipts say; never goes back
        seen_sequence -> BigInt,
        /// operational: number of the last message that reached a device of theirs
        delivered_sequence -> BigInt,
    }
}

diesel::table! {
    /// What several people talk about.
    conversations (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: what it is for
        kind -> Text,
        /// identifier: whom it is about; null when it is about nobody in particular
        patient_id -> Nullable<Uuid>,
        /// phi: title, or the subject of a secure mail; null when there is none
        title_ciphertext -> Nullable<Bytea>,
        /// phi: words it is sorted by, as a JSON list; null when there are none
        tags_ciphertext -> Nullable<Bytea>,
        /// operational: how much it presses
        priority -> Text,
        /// operational: whether it goes on
        status -> Text,
        /// operational: when the status last changed; null while it never did
        status_changed_at -> Nullable<Timestamptz>,
        /// identifier: who changed it; null while nobody did, and when the server did
        status_changed_by -> Nullable<Uuid>,
        /// operational: number of its last message; messages are numbered from 1 without gaps
        last_sequence -> BigInt,
        /// operational: when its last message was sent; when it was made while there is none
        last_activity_at -> Timestamptz,
        /// phi: why it is under a legal hold; null while it is not
        hold_reason_ciphertext -> Nullable<Bytea>,
        /// operational: since when it is under a legal hold; null while it is not
        held_at -> Nullable<Timestamptz>,
        /// identifier: who placed the legal hold; null while there is none
        held_by -> Nullable<Uuid>,
        /// identifier: who began it; null when somebody outside did, by writing
        created_by -> Nullable<Uuid>,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: optimistic concurrency counter; messages do not raise it
        version -> Integer,
        /// identifier: who of those who take part is to see to it; null while nobody is named
        assigned_user_id -> Nullable<Uuid>,
        /// identifier: with whom outside it is; null when it is among users
        whatsapp_contact_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// A passage of a document, as search finds it.
    document_chunks (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// operational: 0, 1, 2 in the document
        position -> Integer,
        /// operational: page it begins on, from 1; null for pageless text
        page -> Nullable<Integer>,
        /// operational: first character in the extracted text (of the page, where there are pages)
        start_char -> Integer,
        /// operational: character after the last
        end_char -> Integer,
        /// operational: lexemes in it, for ranking
        term_count -> Integer,
        /// phi: the text
        text_ciphertext -> Bytea,
        /// operational: left edge on the page, in ten-thousandths of its width; null for text that was not read from a picture
        box_left -> Nullable<SmallInt>,
        /// operational: upper edge, in ten-thousandths of its height
        box_top -> Nullable<SmallInt>,
        /// operational: right edge
        box_right -> Nullable<SmallInt>,
        /// operational: lower edge
        box_bottom -> Nullable<SmallInt>,
    }
}

diesel::table! {
    /// A legal hold: while it lasts, nothing of the document goes away.
    document_holds (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// phi: why
        reason_ciphertext -> Bytea,
        /// identifier: who placed it
        placed_by -> Uuid,
        /// operational: when
        placed_at -> Timestamptz,
        /// phi: why it was released; null while it lasts
        release_reason_ciphertext -> Nullable<Bytea>,
        /// identifier: who released it; null while it lasts
        released_by -> Nullable<Uuid>,
        /// operational: when; null while it lasts
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Which patients a document is about.
    document_patients (facility_id, document_id, patient_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// operational: when it was linked
        linked_at -> Timestamptz,
    }
}

diesel::table! {
    /// What the text of a document proposes, for a person to accept or dismiss.
    document_proposals (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// operational: what is proposed
        aspect -> Text,
        /// clinical: another kind; null where something else is proposed
        kind -> Nullable<Text>,
        /// clinical: another day it is about; null where something else is proposed
        document_date -> Nullable<Date>,
        /// identifier: a patient it is about; null where something else is proposed
        patient_id -> Nullable<Uuid>,
        /// identifier: a document that is the same, or nearly; null where something else is proposed
        other_document_id -> Nullable<Uuid>,
        /// operational: whether somebody decided
        state -> Text,
        /// identifier: who decided; null while it is open
        decided_by -> Nullable<Uuid>,
        /// operational: when; null while it is open
        decided_at -> Nullable<Timestamptz>,
        /// operational: when it was found
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// A signature on a document.
    document_signatures (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// identifier: who signed
        user_id -> Uuid,
        /// operational: SHA-256 of the content signed
        content_sha256 -> Bytea,
        /// operational: which server key sealed the signature
        key_id -> Text,
        /// operational: Ed25519 over document, signer, time and content hash
        signature -> Bytea,
        /// clinical: when
        signed_at -> Timestamptz,
    }
}

diesel::table! {
    /// A state an unsigned document was in, with who made it so and when.
    document_versions (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// operational: the version of the document that this is
        number -> Integer,
        /// operational: what made it
        change -> Text,
        /// operational: number of the version put back; null unless it was
        restored_from -> Nullable<Integer>,
        /// identifier: who made the change; null for imports
        author_id -> Nullable<Uuid>,
        /// clinical: kind of the document then
        kind -> Text,
        /// clinical: the day it was about then
        document_date -> Date,
        /// clinical: where a note was in its life then; null for uploads
        note_state -> Nullable<Text>,
        /// phi: title then
        title_ciphertext -> Bytea,
        /// phi: text of a note then; null for uploads
        body_ciphertext -> Nullable<Bytea>,
        /// phi: what was filled into the fields of a template then, as JSON; null where there is none
        fields_ciphertext -> Nullable<Bytea>,
        /// operational: when the change began: the first of several autosaves
        created_at -> Timestamptz,
        /// operational: when it was last saved
        saved_at -> Timestamptz,
    }
}

diesel::table! {
    /// What staff do with an uploaded document.
    document_work (facility_id, document_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// operational: whether somebody must still look at it
        review_state -> Text,
        /// identifier: who looked at it; null while nobody has
        reviewed_by -> Nullable<Uuid>,
        /// operational: when; null while nobody has
        reviewed_at -> Nullable<Timestamptz>,
        /// identifier: who is to look at it; null while it is nobody in particular
        assignee_id -> Nullable<Uuid>,
        /// operational: since when; null while it is nobody in particular
        assigned_at -> Nullable<Timestamptz>,
        /// operational: by which rule it is kept
        retention_class -> Text,
        /// operational: optimistic concurrency counter
        version -> Integer,
    }
}

diesel::table! {
    /// An uploaded file or an authored note.
    documents (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: uploaded file or authored note
        origin -> Text,
        /// clinical: what it is
        kind -> Text,
        /// phi: title
        title_ciphertext -> Bytea,
        /// phi: file name as uploaded; null for notes
        file_name_ciphertext -> Nullable<Bytea>,
        /// operational: sniffed from the content, not believed from the client
        mime_type -> Text,
        /// operational: size of the plain content
        size_bytes -> BigInt,
        /// operational: SHA-256 of the plain content
        sha256 -> Bytea,
        /// operational: where the encrypted file is; null for notes
        object_key -> Nullable<Text>,
        /// phi: key of the file, encrypted under the facility key; null for notes
        file_key_ciphertext -> Nullable<Bytea>,
        /// phi: text of a note; null for uploads
        body_ciphertext -> Nullable<Bytea>,
        /// identifier: who uploaded or wrote it; null for imports
        author_id -> Nullable<Uuid>,
        /// clinical: the day it is about
        document_date -> Date,
        /// operational: how far it is on its way into search
        status -> Text,
        /// operational: why it failed, has no text or is quarantined (extraction::ExtractionError::code); null otherwise
        failure_code -> Nullable<Text>,
        /// clinical: life cycle of a note; null for uploads
        note_state -> Nullable<Text>,
        /// clinical: when it was signed; null while it is not
        signed_at -> Nullable<Timestamptz>,
        /// identifier: the signed note this adds to; null otherwise
        addendum_to -> Nullable<Uuid>,
        /// clinical: whether it is a record of substance use disorder treatment under 42 CFR Part 2
        part2 -> Bool,
        /// operational: the template a note was made of, one of the facility or one that comes with the product; null for none
        template_id -> Nullable<Uuid>,
        /// operational: number of the version of the template
        template_number -> Nullable<Integer>,
        /// phi: what is filled into the fields of the template, as JSON
        fields_ciphertext -> Nullable<Bytea>,
        /// identifier: the visit it is of, one of a patient it is about; null for none
        visit_id -> Nullable<Uuid>,
        /// operational: language of the text as a BCP 47 subtag, told from the text; null before, and where it cannot be told
        language -> Nullable<Text>,
        /// operational: pages found by extraction; null before and for pageless text
        page_count -> Nullable<Integer>,
        /// operational: passages in search
        chunk_count -> Integer,
        /// operational: when it could first be found; null before
        ready_at -> Nullable<Timestamptz>,
        /// operational: when a virus scanner last found it clean; null before, and where there is no scanner
        scanned_at -> Nullable<Timestamptz>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Embedding models: one serves, another may be prepared in the background. Not tenant-owned.
    embedding_models (id) {
        /// operational: number
        id -> SmallInt,
        /// operational: name of the model
        name -> Text,
        /// operational: length of its vectors
        dimensions -> SmallInt,
        /// operational: serving answers queries; preparing is being filled; retired is kept for the record
        state -> Text,
        /// operational: when it was registered
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// The position of the last event of a facility. Its row is locked from the moment an event takes its position until the commit: positions are in the order of commits and have no gaps.
    event_heads (facility_id) {
        /// identifier: whose stream
        facility_id -> Uuid,
        /// operational: position of the last event
        position -> BigInt,
        /// operational: events up to this position are no longer kept
        swept -> BigInt,
    }
}

diesel::table! {
    /// What has happened, kept for those who were away: ids alone. Who may see the object of an event is asked when the event is delivered.
    events (facility_id, position) {
        /// identifier: whose stream
        facility_id -> Uuid,
        /// operational: place in the stream, in the order of commits, without gaps
        position -> BigInt,
        /// operational: what happened (events::EventKind)
        kind -> Text,
        /// operational: the type of the object it happened to, as the API names it
        subject_kind -> Text,
        /// identifier: the object it happened to
        subject_id -> Uuid,
        /// identifier: what the object belongs to, such as the conversation of a message
        about -> Array<Uuid>,
        /// identifier: the only users it is delivered to; null for everybody who may see the object
        audience -> Nullable<Array<Uuid>>,
        /// identifier: who did it; null for the system
        actor_user_id -> Nullable<Uuid>,
        /// operational: when, by the clock of the server
        occurred_at -> Timestamptz,
    }
}

diesel::table! {
    /// A tenant: hospital, clinic or practice.
    facilities (id) {
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: public name
        name -> Text,
        /// operational: what it is; platform only for the nil id
        kind -> Text,
        /// identifier: organisational NPI, Luhn-checked by the server
        npi -> Nullable<Text>,
        /// operational: public address
        address_line1 -> Nullable<Text>,
        /// operational: public address, second line
        address_line2 -> Nullable<Text>,
        /// operational: public address, city
        city -> Nullable<Text>,
        /// operational: public address, two-letter state
        state -> Nullable<Text>,
        /// operational: public address, ZIP code
        zip_code -> Nullable<Text>,
        /// operational: public telephone number
        phone -> Nullable<Text>,
        /// operational: IANA zone
        time_zone -> Text,
        /// operational: typed in code (facilities::Settings)
        settings -> Jsonb,
        /// operational: active, suspended, or shredded (its keys destroyed)
        status -> Text,
        /// operational: why it is suspended, a code; null while it is not
        status_reason -> Nullable<Text>,
        /// operational: raised whenever its keys change, so that caches of keys end at once
        key_epoch -> Integer,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// An invitation to work in a facility, sent by e-mail.
    facility_invitations (facility_id, id) {
        /// identifier: where
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: SHA-256 of the token in the mail
        token_hash -> Bytea,
        /// phi: address invited, encrypted under the facility key
        email_ciphertext -> Bytea,
        /// identifier: blind index of the address, under the lookup key
        email_index -> BigInt,
        /// operational: roles granted on acceptance (facilities::RoleGrant)
        roles -> Jsonb,
        /// operational: job title granted on acceptance
        title -> Nullable<Text>,
        /// identifier: who invited; null for the platform
        invited_by -> Nullable<Uuid>,
        /// operational: pending, accepted, revoked, or expired (set when another one takes its place)
        status -> Text,
        /// operational: when it runs out
        expires_at -> Timestamptz,
        /// operational: when it was accepted
        accepted_at -> Nullable<Timestamptz>,
        /// operational: when it was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Data and index keys of a facility, wrapped by a master key. Deleting them shreds the facility.
    facility_keys (facility_id, purpose, version) {
        /// identifier: whose
        facility_id -> Uuid,
        /// operational: data (fields, files) or index (blind indexes)
        purpose -> Text,
        /// operational: counts up; written into each ciphertext
        version -> Integer,
        /// operational: the key, sealed by the master key
        wrapped_key -> Bytea,
        /// operational: which master key sealed it
        master_key_id -> Text,
        /// operational: active (encrypts) or retiring (decrypts until rotation ends)
        state -> Text,
        /// operational: when it was made
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// A user working in a facility. A removed one stays for the record.
    facility_members (facility_id, id) {
        /// identifier: where
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: who
        user_id -> Uuid,
        /// operational: active, suspended or removed
        status -> Text,
        /// operational: why suspended or removed, a code; null while active
        status_reason -> Nullable<Text>,
        /// operational: job title shown beside the name
        title -> Nullable<Text>,
        /// identifier: who invited; null for the platform and the system
        invited_by -> Nullable<Uuid>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the invitation was accepted
        joined_at -> Timestamptz,
        /// operational: when suspended; null while not
        suspended_at -> Nullable<Timestamptz>,
        /// operational: when removed; null while not
        removed_at -> Nullable<Timestamptz>,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// ICD-10-CM codes. Reference data, not tenant-owned.
    icd10_codes (code) {
        /// operational: code with its dot
        code -> Text,
        /// operational: official description
        description -> Text,
        /// operational: whether it may be billed; headings may not
        billable -> Bool,
    }
}

diesel::table! {
    /// Results of mutations that carried an idempotency key, kept for 24 hours and replayed.
    idempotency_keys (facility_id, user_id, key) {
        /// identifier: where
        facility_id -> Uuid,
        /// identifier: who sent it
        user_id -> Uuid,
        /// operational: as the client sent it
        key -> Text,
        /// operational: the mutation it was sent with
        action -> Text,
        /// operational: keyed hash of the input; the same key with another input is refused
        fingerprint -> Bytea,
        /// operational: ids that the mutation returned; null while it runs
        result -> Nullable<Jsonb>,
        /// operational: when it was first used
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// The outbox: work written in the transaction that causes it, done by a worker at least once. A finished job is deleted.
    jobs (facility_id, id) {
        /// identifier: for which facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: which handler (jobs::Kind)
        kind -> Text,
        /// operational: ids and counters, or values encrypted under the facility key; never PHI in clear
        payload -> Jsonb,
        /// operational: queued, running or dead (attempts used up, waits for a person)
        state -> Text,
        /// operational: not before
        run_at -> Timestamptz,
        /// operational: how often it was started
        attempts -> Integer,
        /// operational: after so many it is dead
        max_attempts -> Integer,
        /// operational: a running job whose lease has passed is taken over
        leased_until -> Nullable<Timestamptz>,
        /// operational: which process holds it
        worker -> Nullable<Text>,
        /// operational: code of the last failure; never its data
        last_error -> Nullable<Text>,
        /// operational: at most one queued job of a kind with the same key
        deduplication_key -> Nullable<Text>,
        /// identifier: the user it acts for; null for the system
        user_id -> Nullable<Uuid>,
        /// operational: the request that caused it
        request_id -> Nullable<Uuid>,
        /// operational: when it was queued
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A spelling that leads to a lexeme, for mistyped queries.
    lexeme_spellings (facility_id, variant, term) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: keyed hash of the spelling
        variant -> BigInt,
        /// identifier: keyed hash of the lexeme
        term -> BigInt,
    }
}

diesel::table! {
    /// A role of a member, in the whole facility or in one department.
    member_roles (facility_id, id) {
        /// identifier: where
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: whose
        member_id -> Uuid,
        /// operational: the role
        role -> Text,
        /// operational: department it is held in; null for the whole facility
        department -> Nullable<Text>,
        /// operational: the role shown first; exactly one per active member
        primary_role -> Bool,
        /// operational: when it was granted
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// Documents that a message shares; who may open one is the document's own affair.
    message_attachments (facility_id, message_id, document_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the message
        message_id -> Uuid,
        /// identifier: the document
        document_id -> Uuid,
        /// operational: 0, 1, 2 in the message
        position -> Integer,
    }
}

diesel::table! {
    /// What somebody has begun to write and not sent; seen by them alone.
    message_drafts (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the conversation
        conversation_id -> Uuid,
        /// identifier: who writes
        user_id -> Uuid,
        /// identifier: first message of the thread it is for; null outside threads
        thread_root_id -> Nullable<Uuid>,
        /// phi: the text so far
        body_ciphertext -> Bytea,
        /// operational: when it was saved last
        saved_at -> Timestamptz,
    }
}

diesel::table! {
    /// The vector of a message under one model.
    message_embeddings (facility_id, message_id, model_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the message
        message_id -> Uuid,
        /// operational: the model
        model_id -> SmallInt,
        /// identifier: its conversation
        conversation_id -> Uuid,
        /// clinical: the vector, normalised to length 1; it leaks the gist of the text
        embedding -> crate::embedding::halfvec::Halfvec,
    }
}

diesel::table! {
    /// Whom a message names.
    message_mentions (facility_id, message_id, user_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the message
        message_id -> Uuid,
        /// identifier: who is named
        user_id -> Uuid,
    }
}

diesel::table! {
    /// What somebody thinks of a message, as an emoji.
    message_reactions (facility_id, message_id, user_id, emoji) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the message
        message_id -> Uuid,
        /// identifier: who reacts
        user_id -> Uuid,
        /// operational: one emoji
        emoji -> Text,
        /// operational: when the row was made
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// A lexeme of a message.
    message_terms (facility_id, term, message_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: keyed hash of the lexeme
        term -> BigInt,
        /// identifier: the message
        message_id -> Uuid,
        /// identifier: its conversation
        conversation_id -> Uuid,
        /// operational: how often it occurs
        frequency -> SmallInt,
    }
}

diesel::table! {
    /// What a message said before it was edited.
    message_versions (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the message
        message_id -> Uuid,
        /// phi: the text it had
        body_ciphertext -> Bytea,
        /// operational: when it was given that text
        written_at -> Timestamptz,
    }
}

diesel::table! {
    /// What is said in a conversation.
    messages (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the conversation
        conversation_id -> Uuid,
        /// operational: 1, 2, 3 in the conversation, without gaps, in the order of commit
        sequence -> BigInt,
        /// identifier: who wrote it; null for the system, for an assistant and for somebody outside
        author_user_id -> Nullable<Uuid>,
        /// operational: what it is
        kind -> Text,
        /// phi: the text; null for system messages, and when it was deleted
        body_ciphertext -> Nullable<Bytea>,
        /// operational: what happened; null for what somebody wrote
        system_event -> Nullable<Text>,
        /// identifier: whom it happened to, or who did it; null for what somebody wrote
        system_subject_id -> Nullable<Uuid>,
        /// identifier: first message of the thread it belongs to; null outside threads and for the first itself
        thread_root_id -> Nullable<Uuid>,
        /// identifier: the message it answers; null when it answers none
        parent_id -> Nullable<Uuid>,
        /// operational: whether it is kept out of previews and away from models
        sensitivity -> Text,
        /// operational: the model that wrote it; null for people
        model_name -> Nullable<Text>,
        /// operational: its version; null for people, or when it has none
        model_version -> Nullable<Text>,
        /// operational: how sure the assistant was, 0 to 1; null for people
        confidence -> Nullable<Double>,
        /// identifier: passages the assistant cites, as a list of ids of documents and passages; null for people
        citations -> Nullable<Jsonb>,
        /// operational: when it was sent
        created_at -> Timestamptz,
        /// operational: when the text last changed; null while it never did
        edited_at -> Nullable<Timestamptz>,
        /// operational: when it was deleted; null while it is there
        deleted_at -> Nullable<Timestamptz>,
        /// identifier: who deleted it; null while it is there
        deleted_by -> Nullable<Uuid>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// identifier: who outside wrote it; null for everybody else
        contact_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// That what one member signs needs the co-signature of another.
    note_supervisions (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: whose notes
        supervisee_id -> Uuid,
        /// identifier: who signs them too
        supervisor_id -> Uuid,
        /// operational: when it began
        started_at -> Timestamptz,
        /// operational: when it ended; null while it lasts
        ended_at -> Nullable<Timestamptz>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A version of a template; never changed, since notes refer to it.
    note_template_versions (facility_id, template_id, number) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the template
        template_id -> Uuid,
        /// operational: 1, 2, 3
        number -> Integer,
        /// operational: name of the form
        name -> Text,
        /// operational: its fields in order (templates::definition::Field)
        fields -> Jsonb,
        /// identifier: who made it
        author_id -> Nullable<Uuid>,
        /// operational: when
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// A form of the facility that notes are made of.
    note_templates (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: kind of the notes made of it
        kind -> Text,
        /// operational: when it was taken out of use; null while it is offered
        archived_at -> Nullable<Timestamptz>,
        /// operational: number of its current version, and optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// How a user wants to be told. Without a row: by mail soon, at any hour.
    notification_preferences (facility_id, user_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: who
        user_id -> Uuid,
        /// operational: soon, daily or never
        mail -> Text,
        /// operational: hour of the daily mail, in the user's zone
        digest_hour -> Integer,
        /// operational: hour from which no mail is sent, in the user's zone; null for none
        quiet_from -> Nullable<Integer>,
        /// operational: hour until which no mail is sent; null for none
        quiet_until -> Nullable<Integer>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when it was first set
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// What a user is told of. While it is unread, the same again counts up instead of being another row.
    notifications (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: who is told
        user_id -> Uuid,
        /// operational: what of (NotificationKind)
        kind -> Text,
        /// operational: the type of the object, as the API names it
        subject_kind -> Text,
        /// identifier: the object
        subject_id -> Uuid,
        /// operational: how often since it was last read
        times -> Integer,
        /// operational: when it happened last
        occurred_at -> Timestamptz,
        /// operational: when the user read it; null before
        read_at -> Nullable<Timestamptz>,
        /// operational: when a mail told of it, or was not wanted; null before
        mailed_at -> Nullable<Timestamptz>,
        /// operational: when it happened first
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Single-use password resets, hashed and short-lived.
    password_resets (token_hash) {
        /// operational: SHA-256 of the token
        token_hash -> Bytea,
        /// identifier: whose
        user_id -> Uuid,
        /// operational: when it was asked for
        created_at -> Timestamptz,
        /// operational: when it runs out
        expires_at -> Timestamptz,
        /// operational: when it was used; null while unused
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// An allergy or intolerance of a patient.
    patient_allergies (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// phi: what the patient reacts to
        substance_ciphertext -> Bytea,
        /// phi: how
        reaction_ciphertext -> Nullable<Bytea>,
        /// clinical: kind of substance
        category -> Text,
        /// clinical: how bad
        severity -> Text,
        /// clinical: whether it still holds
        status -> Text,
        /// clinical: when it was first noted
        noted_on -> Nullable<Date>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Someone to be told, or who speaks for a patient.
    patient_contacts (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// phi: name of the contact
        name_ciphertext -> Bytea,
        /// clinical: what the contact is to the patient
        relationship -> Text,
        /// phi: telephone number
        phone_ciphertext -> Nullable<Bytea>,
        /// phi: e-mail address
        email_ciphertext -> Nullable<Bytea>,
        /// operational: to be called in an emergency
        emergency -> Bool,
        /// operational: decides for the patient by law
        legal_guardian -> Bool,
        /// operational: order in which contacts are called
        priority -> SmallInt,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// An insurance coverage of a patient.
    patient_coverages (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// operational: insurer
        payer_name -> Text,
        /// operational: plan
        plan_name -> Nullable<Text>,
        /// phi: member number
        member_number_ciphertext -> Bytea,
        /// phi: group number
        group_number_ciphertext -> Nullable<Bytea>,
        /// phi: name of the subscriber when it is not the patient
        subscriber_name_ciphertext -> Nullable<Bytea>,
        /// operational: what the patient is to the subscriber
        subscriber_relationship -> Text,
        /// operational: 1 primary, 2 secondary and so on
        priority -> SmallInt,
        /// operational: first day covered
        effective_on -> Date,
        /// operational: last day covered; null while open
        ends_on -> Nullable<Date>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Blind index terms of a patient.
    patient_terms (facility_id, term, patient_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: keyed hash of kind and normalised value
        term -> BigInt,
        /// identifier: the patient
        patient_id -> Uuid,
    }
}

diesel::table! {
    /// Which chart a patient, or who acts for them, sees as a user.
    patient_users (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: whose chart
        patient_id -> Uuid,
        /// identifier: who sees it, a member with the role patient
        user_id -> Uuid,
        /// operational: self, or proxy for who acts for the patient
        relationship -> Text,
        /// identifier: who linked them; null for the server itself
        granted_by -> Nullable<Uuid>,
        /// operational: from when
        granted_at -> Timestamptz,
        /// identifier: who took the link back; null while it lasts
        revoked_by -> Nullable<Uuid>,
        /// operational: until when; null while it lasts
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// A visit in the history of a patient.
    patient_visits (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// clinical: begin of the visit
        visited_at -> Timestamptz,
        /// clinical: end of the visit; null while it lasts
        discharged_at -> Nullable<Timestamptz>,
        /// operational: department or unit
        department -> Nullable<Text>,
        /// identifier: attending provider
        attending_id -> Nullable<Uuid>,
        /// phi: reason for the visit
        reason_ciphertext -> Nullable<Bytea>,
        /// phi: remarks
        notes_ciphertext -> Nullable<Bytea>,
        /// phi: vital signs as JSON (patients::Vitals)
        vitals_ciphertext -> Nullable<Bytea>,
        /// phi: medications as JSON (patients::Medication)
        medications_ciphertext -> Nullable<Bytea>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A person in care, one record per facility.
    patients (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// phi: medical record number
        mrn_ciphertext -> Bytea,
        /// identifier: blind index of the medical record number
        mrn_index -> BigInt,
        /// phi: given name
        given_name_ciphertext -> Bytea,
        /// phi: middle name
        middle_name_ciphertext -> Nullable<Bytea>,
        /// phi: family name
        family_name_ciphertext -> Bytea,
        /// phi: name the person goes by
        preferred_name_ciphertext -> Nullable<Bytea>,
        /// phi: date of birth, ISO 8601
        birth_date_ciphertext -> Bytea,
        /// phi: social security number, nine digits
        ssn_ciphertext -> Nullable<Bytea>,
        /// phi: telephone number
        phone_ciphertext -> Nullable<Bytea>,
        /// phi: e-mail address
        email_ciphertext -> Nullable<Bytea>,
        /// phi: postal address as JSON (patients::Address)
        address_ciphertext -> Nullable<Bytea>,
        /// clinical: administrative gender
        gender -> Text,
        /// operational: BCP 47 language tag
        preferred_language -> Nullable<Text>,
        /// operational: active or archived
        status -> Text,
        /// operational: when archived; null while active
        archived_at -> Nullable<Timestamptz>,
        /// identifier: who registered; null for imports
        registered_by -> Nullable<Uuid>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A role on the platform itself, not in a facility.
    platform_roles (user_id, role) {
        /// identifier: who holds it
        user_id -> Uuid,
        /// operational: the role
        role -> Text,
        /// operational: when it was granted
        granted_at -> Timestamptz,
    }
}

diesel::table! {
    /// The documents of one patient as one archive, for some days.
    record_exports (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// identifier: who asked for it, and alone may fetch it
        requested_by -> Uuid,
        /// operational: when
        requested_at -> Timestamptz,
        /// operational: whether whoever asked may have documents labelled 42 CFR Part 2
        part2 -> Bool,
        /// operational: how far it is
        status -> Text,
        /// operational: where the encrypted archive is; null before it is made
        object_key -> Nullable<Text>,
        /// phi: key of the archive, encrypted under the facility key; null before it is made
        file_key_ciphertext -> Nullable<Bytea>,
        /// operational: size of the plain archive; null before it is made
        size_bytes -> Nullable<BigInt>,
        /// operational: SHA-256 of the plain archive; null before it is made
        sha256 -> Nullable<Bytea>,
        /// operational: documents in it; null before it is made
        document_count -> Nullable<Integer>,
        /// operational: when it was made; null before
        ready_at -> Nullable<Timestamptz>,
        /// operational: when the archive goes away
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    /// Refresh tokens, hashed. A used one is kept so that reuse is seen.
    refresh_tokens (token_hash) {
        /// operational: SHA-256 of the token
        token_hash -> Bytea,
        /// identifier: the family
        session_id -> Uuid,
        /// operational: when it was issued
        created_at -> Timestamptz,
        /// operational: when it runs out
        expires_at -> Timestamptz,
        /// operational: when it was exchanged; null while unused
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// A search that a user keeps, to be run again.
    saved_searches (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: whose it is; nobody else sees it
        user_id -> Uuid,
        /// phi: what its owner calls it
        name_ciphertext -> Bytea,
        /// phi: query, mode and filter as JSON (documents::search::saved)
        search_ciphertext -> Bytea,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A cell of the vectors of a large facility under one model.
    search_cells (facility_id, model_id, cell) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// operational: the model
        model_id -> SmallInt,
        /// operational: number, never used again
        cell -> Integer,
        /// operational: cells made together; of two, vectors are on their way to the later
        generation -> Integer,
        /// operational: passages the facility had when it was made
        made_of -> BigInt,
        /// clinical: the direction its vectors lie in, of length 1
        centre -> crate::embedding::halfvec::Halfvec,
    }
}

diesel::table! {
    /// Sizes of a facility in search, for ranking.
    search_statistics (facility_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// operational: documents with passages
        documents -> BigInt,
        /// operational: passages
        chunks -> BigInt,
        /// operational: lexemes of all passages
        terms -> BigInt,
    }
}

diesel::table! {
    /// Sign-ins waiting for their second factor.
    sign_in_challenges (token_hash) {
        /// operational: SHA-256 of the challenge token
        token_hash -> Bytea,
        /// identifier: who gave the right password
        user_id -> Uuid,
        /// operational: when
        created_at -> Timestamptz,
        /// operational: when it runs out
        expires_at -> Timestamptz,
        /// operational: wrong codes so far
        attempts -> Integer,
        /// operational: when it was passed; null while it is open
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Failed sign-ins by account and by address, with back-off.
    sign_in_throttles (subject_hash) {
        /// identifier: keyed hash of the e-mail or address tried
        subject_hash -> Bytea,
        /// operational: failures since the last success
        failures -> Integer,
        /// operational: the last failure
        last_failed_at -> Timestamptz,
        /// operational: no attempt is looked at before this; null for none
        blocked_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// A file of a batch.
    upload_batch_files (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the batch
        batch_id -> Uuid,
        /// operational: 0, 1, 2 in the batch
        position -> Integer,
        /// phi: name as sent
        file_name_ciphertext -> Bytea,
        /// identifier: the document it became; null when it was refused, or is not looked at yet
        document_id -> Nullable<Uuid>,
        /// operational: why it was refused; null when it was not
        refusal -> Nullable<Text>,
    }
}

diesel::table! {
    /// Files that were sent together.
    upload_batches (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: who sent them
        created_by -> Uuid,
        /// operational: when
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// Single-use codes for a lost second factor, hashed.
    user_recovery_codes (user_id, code_hash) {
        /// identifier: whose
        user_id -> Uuid,
        /// operational: SHA-256 of the code
        code_hash -> Bytea,
        /// operational: when it was issued
        created_at -> Timestamptz,
        /// operational: when it was used; null while unused
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// A sign-in on a device, and the family of refresh tokens that grew from it.
    user_sessions (id) {
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: whose session
        user_id -> Uuid,
        /// identifier: the facility last chosen in it; null for none
        chosen_facility_id -> Nullable<Uuid>,
        /// operational: what the device called itself at sign-in, else its user agent, cut to 200 characters
        device -> Nullable<Text>,
        /// identifier: client address at sign-in
        ip_address -> Nullable<Text>,
        /// operational: whether a second factor was passed
        second_factor -> Bool,
        /// operational: sign-in time
        created_at -> Timestamptz,
        /// operational: last use of a refresh token
        last_refreshed_at -> Timestamptz,
        /// operational: end of the session whatever is refreshed
        expires_at -> Timestamptz,
        /// operational: when it was ended; null while it runs
        revoked_at -> Nullable<Timestamptz>,
        /// operational: why it was ended
        revoked_reason -> Nullable<Text>,
    }
}

diesel::table! {
    /// The second factor of a user (RFC 6238).
    user_totp (user_id) {
        /// identifier: whose
        user_id -> Uuid,
        /// phi: shared secret, encrypted under the platform key
        secret_ciphertext -> Bytea,
        /// operational: when the first code was proven; null during enrolment
        confirmed_at -> Nullable<Timestamptz>,
        /// operational: last accepted time step, refused again
        last_used_step -> Nullable<BigInt>,
        /// operational: when enrolment began
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// A login. Global, never tenant-owned.
    users (id) {
        /// identifier: UUIDv7
        id -> Uuid,
        /// phi: sign-in e-mail address, encrypted under the platform key
        email_ciphertext -> Bytea,
        /// identifier: blind index of the normalised e-mail address
        email_index -> BigInt,
        /// phi: name shown to colleagues, encrypted under the platform key
        display_name_ciphertext -> Bytea,
        /// phi: telephone number, encrypted under the platform key
        phone_ciphertext -> Nullable<Bytea>,
        /// operational: argon2id PHC string; null until a password is set
        password_hash -> Nullable<Text>,
        /// operational: active or suspended by the platform
        status -> Text,
        /// identifier: National Provider Identifier, Luhn-checked by the server
        npi -> Nullable<Text>,
        /// identifier: professional licence number
        license_number -> Nullable<Text>,
        /// operational: BCP 47 language tag
        locale -> Text,
        /// operational: IANA zone
        time_zone -> Text,
        /// operational: when the password was last set
        password_changed_at -> Nullable<Timestamptz>,
        /// operational: last successful sign-in
        last_signed_in_at -> Nullable<Timestamptz>,
        /// operational: optimistic concurrency counter
        version -> Integer,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// A coded diagnosis of a visit.
    visit_diagnoses (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the visit
        visit_id -> Uuid,
        /// identifier: the patient
        patient_id -> Uuid,
        /// clinical: ICD-10-CM code
        icd10_code -> Text,
        /// clinical: 1 is the primary diagnosis
        position -> SmallInt,
    }
}

diesel::table! {
    /// Somebody who has written to a number of the facility.
    whatsapp_contacts (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// identifier: the number they wrote to
        integration_id -> Uuid,
        /// phi: their own number, in digits with the country
        phone_ciphertext -> Bytea,
        /// identifier: keyed hash of their number
        phone_term -> BigInt,
        /// phi: what they call themselves; null when they say nothing
        name_ciphertext -> Nullable<Bytea>,
        /// identifier: which patient they are, as somebody here says; null while nobody has said so
        patient_id -> Nullable<Uuid>,
        /// identifier: who said which patient they are; null while nobody has
        linked_by -> Nullable<Uuid>,
        /// operational: when that was said; null while nobody has
        linked_at -> Nullable<Timestamptz>,
        /// operational: when they last wrote; they may be answered for a day from then
        last_received_at -> Timestamptz,
        /// operational: since when they want to hear nothing; null when they do
        opted_out_at -> Nullable<Timestamptz>,
        /// operational: when they were last told that nobody is there; null before
        closed_replied_at -> Nullable<Timestamptz>,
        /// operational: when words of acute danger of theirs last raised an alarm; null before
        crisis_at -> Nullable<Timestamptz>,
        /// operational: when the row was made
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// What becomes of a message on its way to somebody outside.
    whatsapp_deliveries (facility_id, message_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the message; what the provider is given to name it by
        message_id -> Uuid,
        /// identifier: to whom it goes
        contact_id -> Uuid,
        /// operational: which answer of the server itself it is; null for what somebody wrote
        automatic -> Nullable<Text>,
        /// operational: how far it has got
        status -> Text,
        /// identifier: keyed hash of the id the provider gave it, which holds a telephone number; null until it did
        wamid_term -> Nullable<BigInt>,
        /// operational: why it was last not taken, a code of the provider or of ours; null when it was
        error_code -> Nullable<Text>,
        /// operational: how often the provider was asked to take it
        attempts -> Integer,
        /// operational: when it was to be sent, last
        queued_at -> Timestamptz,
        /// operational: when the provider was last asked to take it; null before
        sending_at -> Nullable<Timestamptz>,
        /// operational: since when it is not known whether the provider took it; null while it is known
        uncertain_at -> Nullable<Timestamptz>,
        /// operational: when the provider took it; null before
        sent_at -> Nullable<Timestamptz>,
        /// operational: when it reached a device; null before
        delivered_at -> Nullable<Timestamptz>,
        /// operational: when it was read; null before, and where readers do not say so
        read_at -> Nullable<Timestamptz>,
        /// operational: when it was given up; null unless it was
        failed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Who takes part in what is written to a number from now on.
    whatsapp_integration_members (facility_id, integration_id, user_id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the number
        integration_id -> Uuid,
        /// identifier: who takes part
        user_id -> Uuid,
    }
}

diesel::table! {
    /// A WhatsApp number of a facility. Nothing of a patient belongs here.
    whatsapp_integrations (facility_id, id) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: UUIDv7
        id -> Uuid,
        /// operational: what it is called
        name -> Text,
        /// identifier: the number as the provider knows it
        phone_number_id -> Text,
        /// identifier: the business account at the provider; null when it is not known
        business_account_id -> Nullable<Text>,
        /// operational: the number as people dial it; null until the provider was asked
        display_phone_number -> Nullable<Text>,
        /// operational: under which name it is shown; null until the provider was asked, or when it has none
        verified_name -> Nullable<Text>,
        /// phi: what lets the server send; no PHI, and kept like it
        access_token_ciphertext -> Bytea,
        /// phi: what calls of the provider are signed with; no PHI, and kept like it
        app_secret_ciphertext -> Bytea,
        /// operational: hash of the token the provider shows when it is told of the webhook
        verify_token_hash -> Bytea,
        /// operational: whether it takes and sends messages
        status -> Text,
        /// operational: when the provider last showed the token; null before
        verified_at -> Nullable<Timestamptz>,
        /// operational: code by which the provider last refused the credentials; null when it takes them
        last_fault -> Nullable<Text>,
        /// operational: when it did; null when it takes them
        last_fault_at -> Nullable<Timestamptz>,
        /// operational: when somebody answers, as a list of intervals in the facility's zone; null for always
        business_hours -> Nullable<Jsonb>,
        /// operational: what is answered outside those hours; null for nothing
        closed_reply -> Nullable<Text>,
        /// operational: what is answered to words of acute danger; null for the text that comes with the server
        crisis_reply -> Nullable<Text>,
        /// identifier: who is to see to a conversation in which acute danger is spoken of
        hand_over_to -> Uuid,
        /// identifier: who set it up
        created_by -> Uuid,
        /// operational: when the row was made
        created_at -> Timestamptz,
        /// operational: when the row last changed
        updated_at -> Timestamptz,
        /// operational: optimistic concurrency counter
        version -> Integer,
    }
}

diesel::table! {
    /// Messages that have come, so that none comes twice; kept for as long as one could come again.
    whatsapp_receipts (facility_id, integration_id, wamid_term) {
        /// identifier: the facility
        facility_id -> Uuid,
        /// identifier: the number
        integration_id -> Uuid,
        /// identifier: keyed hash of the id the provider gave it, which holds a telephone number
        wamid_term -> BigInt,
        /// operational: when it came
        received_at -> Timestamptz,
    }
}
