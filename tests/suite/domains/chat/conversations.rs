//! Conversations are begun, listed, changed and put away.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{begin, create, db_state, done, id_of, look, refusal, refused, register, run, said, send, try_send};
use crate::harness::{Client, TestApp};

const STATUS: &str = "conversation { status version statusChangedAt statusChangedBy { id } }";

async fn set_status(client: &Client, verb: &str, id: &Value, version: i32) -> Value {
    let input = json!({ "id": id, "expectedVersion": version });
    let ty = if verb == "Escalate" { "ConversationEscalateInput" } else { "ConversationStatusInput" };
    run(client, &format!("conversation{verb}"), ty, STATUS, input).await
}

/// Ids of the caller's conversations that a filter lets through, the last active first.
async fn listed(client: &Client, filter: Value) -> Vec<Value> {
    let list = "query($filter: ConversationFilterInput) { conversations(filter: $filter) { totalCount nodes { id } } }";
    let found = client.run(list, json!({ "filter": filter })).await.ok();
    let nodes = found["conversations"]["nodes"].as_array().unwrap();
    assert_eq!(found["conversations"]["totalCount"], json!(nodes.len()));
    nodes.iter().map(|node| node["id"].clone()).collect()
}

#[tokio::test]
async fn a_conversation_is_begun_once_and_owned_by_who_begins_it() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let patient = register(&nurse).await;
    let input = json!({ "kind": "PATIENT", "title": " Discharge of the quagga ", "patientId": patient, "priority": "HIGH",
        "tags": ["beds", " okapi ", "beds"], "participantIds": [id_of(&physician), id_of(&nurse), id_of(&physician)], "idempotencyKey": "k" });
    let begun = create(&nurse, input.clone()).await;
    assert_eq!(begun["userErrors"], json!([]));
    let conversation = &begun["conversation"];
    let id = &conversation["id"];
    let mut expected = json!({ "id": id, "kind": "PATIENT", "title": "Discharge of the quagga", "tags": ["beds", "okapi"],
        "priority": "HIGH", "status": "ACTIVE", "messageCount": 0, "version": 1, "patient": { "id": patient },
        "createdBy": { "id": id_of(&nurse) } });
    expected["participants"] = conversation["participants"].clone();
    assert_eq!(*conversation, expected);
    let seats = look(&physician, id, "participants { role party user { id } invitedBy { id } }").await;
    let mut seats = seats["participants"].as_array().unwrap().clone();
    seats.sort_by_key(|seat| seat["role"].to_string());
    assert_eq!(
        seats,
        [
            json!({ "role": "MEMBER", "party": "STAFF", "user": { "id": id_of(&physician) }, "invitedBy": { "id": id_of(&nurse) } }),
            json!({ "role": "OWNER", "party": "STAFF", "user": { "id": id_of(&nurse) }, "invitedBy": null }),
        ]
    );
    // A retry gives the same one.
    assert_eq!(create(&nurse, input).await["conversation"]["id"], *id);
    assert_eq!(app.db_value("SELECT count(*) FROM conversations").await, "1");
    let dump = app.db_dump();
    assert!(!dump.contains("quagga") && !dump.contains("okapi"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_nothing_is_begun() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let stranger = app.member_of(app.other, &[Role::Nurse]).await;
    let operator = app.member(&[Role::SystemAdmin]).await;
    let person = app.member(&[Role::Patient]).await;
    let patient = register(&nurse).await;
    let elsewhere = register(&stranger).await;
    let before = db_state(&app).await;
    let with = |more: Value| {
        let mut input = json!({ "kind": "GENERAL", "participantIds": [] });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for (input, code, field) in [
        (json!({ "title": "x".repeat(201) }), "INVALID", "input.title"),
        (json!({ "tags": [" "] }), "INVALID", "input.tags"),
        (json!({ "kind": "SECURE_MAIL", "title": " " }), "INVALID", "input.title"),
        (json!({ "kind": "PATIENT" }), "PATIENT_REQUIRED", "input.patientId"),
        (json!({ "kind": "CARE_TEAM" }), "PATIENT_REQUIRED", "input.patientId"),
        (json!({ "patientId": elsewhere }), "PATIENT_NOT_FOUND", "input.patientId"),
        (json!({ "participantIds": [id_of(&stranger)] }), "NOT_MEMBER", "input.participantIds"),
        (json!({ "participantIds": [id_of(&person)] }), "MAY_NOT_TAKE_PART", "input.participantIds"),
        (
            json!({ "kind": "PATIENT", "patientId": patient, "participantIds": [id_of(&operator)] }),
            "MAY_NOT_TAKE_PART",
            "input.participantIds",
        ),
    ] {
        let payload = create(&nurse, with(input.clone())).await;
        assert_eq!((refusal(&payload), &payload["conversation"]), (refused(code, field), &Value::Null), "{input}");
    }
    // Whoever operates the system begins none of a kind they take no part in.
    let own = create(&operator, with(json!({ "kind": "SECURE_MAIL", "title": "Hello" }))).await;
    assert_eq!(refusal(&own), refused("MAY_NOT_TAKE_PART", "input.kind"));
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn patients_write_to_staff_and_to_nobody_else() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let (person, another) = (app.member(&[Role::Patient]).await, app.member(&[Role::Patient]).await);
    let patient = register(&nurse).await;
    let mail = |with: Vec<String>| json!({ "kind": "SECURE_MAIL", "title": "My results", "participantIds": with });
    let before = db_state(&app).await;
    for kind in ["GENERAL", "PATIENT", "ADMINISTRATIVE", "CARE_TEAM"] {
        let input = json!({ "kind": kind, "patientId": patient, "participantIds": [id_of(&nurse)] });
        let answer =
            super::try_run(&person, "conversationCreate", "ConversationCreateInput", "__typename", input).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{kind}");
    }
    for (client, with) in
        [(&person, vec![]), (&person, vec![id_of(&another)]), (&nurse, vec![id_of(&person), id_of(&another)])]
    {
        let payload = create(client, mail(with)).await;
        assert_eq!(refusal(&payload), refused("MAY_NOT_TAKE_PART", "input.participantIds"));
    }
    // A chart is nothing a person in care opens.
    let about = json!({ "kind": "SECURE_MAIL", "title": "x", "patientId": patient, "participantIds": [id_of(&nurse)] });
    assert_eq!(refusal(&create(&person, about).await), refused("PATIENT_NOT_FOUND", "input.patientId"));
    assert_eq!(db_state(&app).await, before);

    let begun = create(&person, mail(vec![id_of(&nurse)])).await;
    let id = &begun["conversation"]["id"];
    send(&person, id, "May I see them?").await;
    send(&nurse, id, "They are ready.").await;
    assert_eq!(said(&person, id).await, ["May I see them?", "They are ready."]);
    // In a conversation with the care team, the link to the chart is for those who may open it.
    let team = json!({ "kind": "CARE_TEAM", "patientId": patient, "participantIds": [id_of(&person)] });
    let team = create(&nurse, team).await["conversation"]["id"].take();
    assert_eq!(look(&nurse, &team, "patient { id }").await["patient"]["id"], patient);
    let seen =
        person.run("query($id: ID!) { conversation(id: $id) { id patient { id } } }", json!({ "id": team })).await;
    assert_eq!((seen.code(), &seen.data["conversation"]), ("FORBIDDEN", &json!({ "id": team, "patient": null })));
}

#[tokio::test]
async fn a_conversation_is_changed_by_the_version_that_was_read() {
    let app = TestApp::start().await;
    let (nurse, observer) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let id = begin(&nurse, &[]).await;
    let seat = json!({ "id": id, "participantIds": [id_of(&observer)], "role": "OBSERVER" });
    done(&nurse, "conversationInvite", "ConversationInviteInput", "__typename", seat).await;
    let update = async |client: &Client, input: Value| {
        let mut all = json!({ "id": id });
        all.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        run(
            client,
            "conversationUpdate",
            "ConversationUpdateInput",
            "conversation { title tags priority version }",
            all,
        )
        .await
    };
    let changed =
        update(&nurse, json!({ "expectedVersion": 1, "title": "Wards", "tags": ["a"], "priority": "URGENT" })).await;
    let wards = json!({ "title": "Wards", "tags": ["a"], "priority": "URGENT", "version": 2 });
    assert_eq!(changed["conversation"], wards);
    let before = db_state(&app).await;
    let stale = update(&nurse, json!({ "expectedVersion": 1, "title": "x" })).await;
    assert_eq!(refusal(&stale), refused("STALE_VERSION", "input.expectedVersion"));
    let watched = update(&observer, json!({ "expectedVersion": 2, "title": "x" })).await;
    assert_eq!(refusal(&watched), refused("OBSERVER", "input"));
    assert_eq!(db_state(&app).await, before);
    let cleared = update(&nurse, json!({ "expectedVersion": 2, "title": null })).await;
    assert_eq!(cleared["conversation"], json!({ "title": null, "tags": ["a"], "priority": "URGENT", "version": 3 }));
}

#[tokio::test]
async fn a_conversation_is_escalated_archived_completed_and_reopened() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[]).await;
    send(&nurse, &id, "One").await;
    let escalated = set_status(&nurse, "Escalate", &id, 1).await;
    let expected = json!({ "status": "ESCALATED", "version": 2, "statusChangedAt": "2026-03-09T14:00:00+00:00",
        "statusChangedBy": { "id": id_of(&nurse) } });
    assert_eq!(escalated["conversation"], expected);
    assert_eq!(refusal(&set_status(&nurse, "Escalate", &id, 2).await), refused("SAME_STATUS", "input.id"));
    send(&nurse, &id, "Two").await;
    for (verb, version, status) in [("Archive", 2, "ARCHIVED"), ("Complete", 3, "COMPLETED")] {
        assert_eq!(set_status(&nurse, verb, &id, version).await["conversation"]["status"], status);
        let before = db_state(&app).await;
        assert_eq!(refusal(&try_send(&nurse, &id, "x").await), refused("CLOSED", "input.conversationId"));
        assert_eq!(db_state(&app).await, before);
        assert_eq!(listed(&nurse, json!({ "status": status })).await, [id.clone()]);
    }
    assert_eq!(refusal(&set_status(&nurse, "Reopen", &id, 1).await), refused("STALE_VERSION", "input.expectedVersion"));
    assert_eq!(set_status(&nurse, "Reopen", &id, 4).await["conversation"]["status"], "ACTIVE");
    send(&nurse, &id, "Three").await;
    let all = ["One", "ESCALATED", "Two", "ARCHIVED", "COMPLETED", "REOPENED", "Three"];
    assert_eq!(said(&nurse, &id).await, all);
}

#[tokio::test]
async fn conversations_are_listed_by_activity_page_by_page() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(begin(&nurse, &[]).await);
        app.advance(chrono::TimeDelta::minutes(1));
    }
    send(&nurse, &ids[1], "Again").await;
    let expected: Vec<Value> = [1, 4, 3, 2, 0].map(|place: usize| ids[place].clone()).into();
    assert_eq!(listed(&nurse, Value::Null).await, expected);
    let page = "query($after: String) { conversations(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
    let (mut walked, mut after) = (Vec::new(), Value::Null);
    loop {
        let found = nurse.run(page, json!({ "after": after })).await.ok();
        let nodes = found["conversations"]["nodes"].as_array().unwrap();
        walked.extend(nodes.iter().map(|node| node["id"].clone()));
        if found["conversations"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = found["conversations"]["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(walked, expected);
    assert_eq!(nurse.run(page, json!({ "after": "nonsense" })).await.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn secure_mail_lies_in_folders_and_filters_narrow() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let patient = register(&nurse).await;
    let mail = async |from: &Client, to: &Client, about: Value| {
        let input = json!({ "kind": "SECURE_MAIL", "title": "Re", "participantIds": [id_of(to)], "patientId": about });
        let id = create(from, input).await["conversation"]["id"].take();
        app.advance(chrono::TimeDelta::minutes(1));
        send(from, &id, "Dear colleague").await;
        app.advance(chrono::TimeDelta::minutes(1));
        id
    };
    let sent = mail(&nurse, &physician, patient.clone()).await;
    let received = mail(&physician, &nurse, Value::Null).await;
    let away = mail(&physician, &nurse, Value::Null).await;
    set_status(&physician, "Archive", &away, 1).await;
    let general = begin(&nurse, &[&physician]).await;
    let folder = async |client: &Client, folder: &str| listed(client, json!({ "folder": folder })).await;
    assert_eq!(folder(&nurse, "INBOX").await, [received.clone()]);
    assert_eq!(folder(&nurse, "SENT").await, [sent.clone()]);
    assert_eq!(folder(&nurse, "ARCHIVED").await, [away.clone()]);
    assert_eq!(folder(&physician, "INBOX").await, [sent.clone()]);
    assert_eq!(folder(&physician, "SENT").await, [away.clone(), received.clone()]);
    assert_eq!(listed(&nurse, json!({ "kind": "GENERAL" })).await, [general.clone()]);
    assert_eq!(listed(&nurse, json!({ "patientId": patient })).await, [sent.clone()]);
    // The one in the general conversation has nothing in it; the one sent is the nurse's own.
    assert_eq!(listed(&nurse, json!({ "unreadOnly": true })).await, [away.clone(), received]);
    // What happened counts, for whoever did it as well.
    assert_eq!(listed(&physician, json!({ "unreadOnly": true })).await, [away, sent]);
}
