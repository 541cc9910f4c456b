//! What was told in confidence stays there: canaries in every text of a patient's record never reach a log
//! line, another caller's error, or a dump of the database.

use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock};

use anamnesis::access::Role;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::harness::{Answer, Client, TestApp, Webhook};

/// Begins every text planted: letters only, so that names take it.
const MARK: &str = "Zqcanary";

/// Planted where letters are not allowed.
const NUMBERS: &[&str] = &["6175550187", "978654329", "978-65-4329", "6175550188"];

/// What the database keeps in clear by design: the column's class says `clinical`, not `phi`.
const IN_CLEAR: &[&str] = &["ZqcanaryPayer", "ZqcanaryPlan", "ZqcanaryDepartment"];

/// Lines of the whole process that hold a canary, and how many were looked at.
#[derive(Default)]
struct Caught {
    seen: usize,
    lines: Vec<String>,
}

static CAUGHT: Mutex<Caught> = Mutex::new(Caught { seen: 0, lines: Vec::new() });

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn listens(target: &str) -> bool {
    ["anamnesis", "tower_http", "async_graphql"].iter().any(|prefix| target.starts_with(prefix))
}

fn keep(target: &str, text: String) {
    if !listens(target) {
        return;
    }
    let mut caught = CAUGHT.lock().unwrap();
    caught.seen += 1;
    if holds_canary(&text) {
        caught.lines.push(format!("{target}:{text}"));
    }
}

struct Catching;

impl<S: tracing::Subscriber> Layer<S> for Catching {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        keep(event.metadata().target(), text.0);
    }

    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, _: &tracing::span::Id, _: Context<'_, S>) {
        let mut text = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut text);
        keep(attributes.metadata().target(), text.0);
    }

    fn on_record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        keep("anamnesis", text.0);
    }
}

/// One for the process; other tests' lines do no harm, their texts are not ours.
fn catch() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let filter = tracing_subscriber::filter::filter_fn(|metadata| listens(metadata.target()));
        let subscriber = tracing_subscriber::registry().with(Catching.with_filter(filter));
        tracing::subscriber::set_global_default(subscriber).expect("another test listens already");
    });
}

fn holds_canary(text: &str) -> bool {
    text.contains(MARK)
        || text.contains(&MARK.to_ascii_lowercase())
        || NUMBERS.iter().any(|number| text.contains(number))
}

async fn run(client: &Client, field: &str, ty: &str, selection: &str, input: &Value) -> Answer {
    let document = format!(
        "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code field message }} }} }}"
    );
    client.run(&document, json!({ "input": input })).await
}

/// Every mutation with canaries in it: name, input type, what is selected, the input.
type Planted = (&'static str, &'static str, &'static str, Value);

fn register() -> Planted {
    let input = json!({ "givenName": "ZqcanaryGiven", "middleName": "ZqcanaryMiddle", "familyName": "ZqcanaryFamily",
        "preferredName": "ZqcanaryPreferred", "birthDate": "1961-07-23", "gender": "FEMALE", "mrn": "ZQCANARY-MRN",
        "ssn": "978-65-4329", "phone": "(617) 555-0187", "email": "zqcanary@test.example", "acceptDuplicates": true,
        "idempotencyKey": "register", "address": { "line1": "ZqcanaryStreet 1", "line2": "ZqcanaryFlat", "city": "ZqcanaryCity",
        "state": "MA", "zipCode": "02139" } });
    ("patientRegister", "PatientRegisterInput", "patient { id version }", input)
}

fn children(patient: &Value) -> Vec<Planted> {
    vec![
        (
            "patientContactAdd",
            "PatientContactAddInput",
            "contact { id version }",
            json!({ "patientId": patient,
            "name": "ZqcanaryContact", "relationship": "FRIEND", "phone": "6175550188", "email": "zqcanaryc@test.example" }),
        ),
        (
            "patientCoverageAdd",
            "PatientCoverageAddInput",
            "coverage { id version }",
            json!({ "patientId": patient,
            "payerName": "ZqcanaryPayer", "planName": "ZqcanaryPlan", "memberNumber": "ZqcanaryMember", "groupNumber": "ZqcanaryGroup",
            "effectiveOn": "2020-01-01", "subscriberRelationship": "SPOUSE", "subscriberName": "ZqcanarySubscriber" }),
        ),
        (
            "patientVisitRecord",
            "PatientVisitRecordInput",
            "visit { id version }",
            json!({ "patientId": patient,
            "visitedAt": "2026-02-01T10:00:00Z", "reason": "ZqcanaryReason", "notes": "ZqcanaryNotes", "department": "ZqcanaryDepartment",
            "medications": [{ "name": "ZqcanaryDrug", "dose": "ZqcanaryDose", "frequency": "ZqcanaryFrequency", "route": "ZqcanaryRoute" }] }),
        ),
        (
            "patientAllergyRecord",
            "PatientAllergyRecordInput",
            "allergy { id version }",
            json!({ "patientId": patient,
            "substance": "ZqcanarySubstance", "reaction": "ZqcanaryReaction", "category": "FOOD", "severity": "MILD" }),
        ),
        (
            "noteCreate",
            "NoteCreateInput",
            "note { id version }",
            json!({ "patientIds": [patient], "title": "ZqcanaryTitle", "text": "ZqcanaryText" }),
        ),
        (
            "conversationCreate",
            "ConversationCreateInput",
            "conversation { id version }",
            json!({ "kind": "CARE_TEAM", "patientId": patient, "participantIds": [], "title": "ZqcanarySubject", "tags": ["ZqcanaryTag"] }),
        ),
    ]
}

/// Registers and fills a patient; gives their id.
async fn plant(client: &Client) -> Value {
    let (field, ty, selection, input) = register();
    let patient = run(client, field, ty, selection, &input).await.ok()[field]["patient"]["id"].clone();
    for (field, ty, selection, input) in children(&patient) {
        let data = run(client, field, ty, selection, &input).await.ok();
        assert_eq!(data[field]["userErrors"], json!([]), "{field}");
    }
    patient
}

/// What is written of a patient beyond one mutation: versions, a form filled in, a request to amend and its denial.
async fn write(client: &Client, patient: &Value) {
    let input = json!({ "patientIds": [patient], "title": "ZqcanaryTitle", "text": "ZqcanaryText" });
    let made = run(client, "noteCreate", "NoteCreateInput", "note { id }", &input).await.ok();
    let id = &made["noteCreate"]["note"]["id"];
    for (version, field, ty, more) in [
        (1, "noteUpdate", "NoteUpdateInput", json!({ "text": "ZqcanarySecond" })),
        (2, "noteAutosave", "NoteAutosaveInput", json!({ "text": "ZqcanaryThird" })),
        (3, "noteFinalize", "NoteFinalizeInput", json!({})),
        (4, "noteSign", "NoteSignInput", json!({})),
    ] {
        let mut input = json!({ "id": id, "expectedVersion": version });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let done = run(client, field, ty, "note { id }", &input).await.ok();
        assert_eq!(done[field]["userErrors"], json!([]), "{field}");
    }
    let input = json!({ "documentId": id, "patientId": patient, "request": "ZqcanaryWish" });
    let selection = "amendmentRequest { id }";
    let asked = run(client, "amendmentRecord", "AmendmentRecordInput", selection, &input).await.ok();
    let input = json!({ "id": asked["amendmentRecord"]["amendmentRequest"]["id"], "expectedVersion": 1,
        "ground": "ACCURATE", "reason": "ZqcanaryDenial" });
    let denied = run(client, "amendmentDeny", "AmendmentDenyInput", selection, &input).await.ok();
    assert_eq!(denied["amendmentDeny"]["userErrors"], json!([]));
    let offered = client.run("{ noteTemplates { id } }", json!({})).await.ok();
    let input = json!({ "patientIds": [patient], "templateId": offered["noteTemplates"][0]["id"],
        "fields": [{ "key": "subjective", "text": "ZqcanarySubjective" }] });
    let (field, ty) = ("noteCreateFromTemplate", "NoteCreateFromTemplateInput");
    let filled = run(client, field, ty, "note { id text }", &input).await.ok();
    assert_eq!(filled[field]["note"]["text"], "Subjective\nZqcanarySubjective");
}

/// What is said of a patient, and how it is sorted.
async fn talk(client: &Client, patient: &Value) {
    let input =
        json!({ "kind": "SECURE_MAIL", "patientId": patient, "participantIds": [], "title": "ZqcanarySubject" });
    let begun = run(client, "conversationCreate", "ConversationCreateInput", "conversation { id }", &input).await.ok();
    let id = &begun["conversationCreate"]["conversation"]["id"];
    for (field, ty, input) in [
        (
            "conversationUpdate",
            "ConversationUpdateInput",
            json!({ "id": id, "expectedVersion": 1, "title": "ZqcanaryRenamed", "tags": ["ZqcanaryTag"] }),
        ),
        ("messageDraftSave", "MessageDraftSaveInput", json!({ "conversationId": id, "body": "ZqcanaryDraft" })),
        ("messageSend", "MessageSendInput", json!({ "conversationId": id, "body": "ZqcanaryBody" })),
    ] {
        let done = run(client, field, ty, "__typename", &input).await.ok();
        assert_eq!(done[field]["userErrors"], json!([]), "{field}");
    }
    let input = json!({ "name": "Scribe", "purpose": "Finds things." });
    let made = run(client, "agentCreate", "AgentCreateInput", "agent { id }", &input).await.ok();
    let input = json!({ "agentId": made["agentCreate"]["agent"]["id"], "fact": "ZqcanaryFact" });
    let kept = run(client, "agentRemember", "AgentRememberInput", "__typename", &input).await.ok();
    assert_eq!(kept["agentRemember"]["userErrors"], json!([]));
}

/// What somebody outside writes, and what is answered them in vain: nobody listens where it is sent.
async fn outside(app: &TestApp, client: &Client) {
    let user = anamnesis::ids::TypedId::encode(client.user.unwrap());
    let input = json!({ "name": "Desk", "phoneNumberId": "1", "accessToken": "ZqcanaryToken", "appSecret": "ZqcanarySecret",
        "participantIds": [user], "handOverToId": user });
    let (field, ty) = ("whatsappIntegrationCreate", "WhatsappIntegrationCreateInput");
    let made = run(client, field, ty, "integration { id }", &input).await.ok();
    let id = &made[field]["integration"]["id"];
    app.db_execute("UPDATE whatsapp_integrations SET status = 'active', verified_at = now()").await;
    let webhook = Webhook::of(app.anonymous(), app.facility, id, "1", "ZqcanarySecret");
    let message = json!({ "id": "wamid.Zqcanary", "from": "16175550187", "type": "text",
        "timestamp": app.now().timestamp().to_string(), "text": { "body": "ZqcanaryOutside" } });
    let mut change = webhook.change(&[message], &[json!({ "id": "wamid.Zqcanary", "status": "ZqcanaryStatus" })]);
    change["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] = json!("ZqcanaryOutsider");
    assert_eq!(webhook.call(&change).await, 200);
    let junk = b"{ \"Zqcanary\": ".to_vec();
    let signature = webhook.sign(&junk);
    assert_eq!(webhook.post(junk, Some(&signature)).await, (400, String::new()));
    let begun = client.run("{ conversations(filter: { kind: WHATSAPP }) { nodes { id } } }", json!({})).await.ok();
    let input = json!({ "conversationId": begun["conversations"]["nodes"][0]["id"], "body": "ZqcanaryAnswer" });
    let sent = run(client, "messageSend", "MessageSendInput", "__typename", &input).await.ok();
    assert_eq!(sent["messageSend"]["userErrors"], json!([]));
    app.work().await;
    assert_eq!(app.db_value("SELECT error_code FROM whatsapp_deliveries").await, "not_reached");
}

/// Whether an error of any kind repeats what was sent.
fn silent(answer: &Answer, what: &str) {
    let mut told = json!(answer.errors);
    if let Some(fields) = answer.data.as_object() {
        for payload in fields.values() {
            told.as_array_mut().unwrap().push(payload["userErrors"].clone());
        }
    }
    assert!(!holds_canary(&told.to_string()), "{what} repeats what was sent: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_reach_no_log_and_no_error() {
    catch();
    let app = TestApp::start().await;
    let clerk = app.member(Role::ALL).await;
    let patient = plant(&clerk).await;
    let stranger = app.member_of(app.other, Role::ALL).await;
    let biller = app.member(&[Role::SystemAdmin]).await;
    let (_, _, _, person) = register();
    let mut planted = vec![register()];
    planted.extend(children(&patient));
    for (field, ty, selection, input) in planted {
        for (who, client) in
            [("nobody", app.anonymous()), ("another facility", stranger.clone()), ("no role", biller.clone())]
        {
            // Another facility may well register the same person.
            if (who, field) != ("another facility", "patientRegister") {
                silent(&run(&client, field, ty, selection, &input).await, &format!("{field} for {who}"));
            }
        }
        // Each text in turn too long, and each member of the wrong type.
        for key in input.as_object().unwrap().keys() {
            for wrong in
                [json!("ZqcanaryLong".repeat(3_000)), json!(["ZqcanaryList"]), json!({ "Zqcanary": 1 }), json!(1)]
            {
                let mut broken = input.clone();
                broken[key] = wrong;
                let answer = run(&clerk, field, ty, selection, &broken).await;
                // async-graphql quotes a malformed value back to whoever sent it; never to a log.
                if answer.errors.is_empty() {
                    silent(&answer, &format!("{field} with a wrong {key}"));
                }
            }
        }
    }
    let stale =
        json!({ "id": patient, "expectedVersion": 99, "familyName": "ZqcanaryStale", "email": person["email"] });
    silent(&run(&clerk, "patientUpdate", "PatientUpdateInput", "patient { id }", &stale).await, "a stale update");
    let malformed = clerk.run("query { patient(id: \"ZqcanaryId\") { id ", json!({})).await;
    assert!(!malformed.errors.is_empty());
    clerk
        .run(
            "query { patientSearch(input: { name: \"ZqcanaryFamily\", email: \"zqcanary@\" }) { nodes { matched } } }",
            json!({}),
        )
        .await;
    outside(&app, &clerk).await;
    let metrics = anamnesis::metrics::render(&app.app).await.unwrap();
    assert!(!holds_canary(&metrics), "/metrics");
    // A fault of ours is logged: the listener works, and the fault tells nothing.
    app.db_execute("UPDATE patients SET family_name_ciphertext = given_name_ciphertext").await;
    let fault = clerk.run("query($id: ID!) { patient(id: $id) { familyName } }", json!({ "id": patient })).await;
    assert_eq!(fault.code(), "INTERNAL_SERVER_ERROR");
    silent(&fault, "a fault");
    let caught = CAUGHT.lock().unwrap();
    assert!(caught.seen > 0, "nothing was listened to");
    assert!(caught.lines.is_empty(), "canaries in the log:\n{}", caught.lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_the_database_holds_no_canary() {
    let app = TestApp::start().await;
    let clerk = app.member(Role::ALL).await;
    let patient = plant(&clerk).await;
    write(&clerk, &patient).await;
    talk(&clerk, &patient).await;
    outside(&app, &clerk).await;
    // So that it shows that the dump holds the patient at all.
    let id: anamnesis::ids::PatientId = anamnesis::ids::TypedId::decode(patient.as_str().unwrap()).unwrap();
    let mut dump = app.db_dump();
    assert!(dump.contains(&anamnesis::ids::TypedId::uuid(id).to_string()));
    for allowed in IN_CLEAR {
        assert!(dump.contains(allowed), "{allowed} is not in clear any more: take it off the list");
        dump = dump.replace(allowed, "");
    }
    let lower = dump.to_ascii_lowercase();
    let hexadecimal = |text: &str| {
        text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    };
    let mut secrets: Vec<String> = NUMBERS.iter().map(|number| (*number).to_owned()).collect();
    secrets.extend(["zqcanary", "1961-07-23", "robin example", "@test.example"].map(str::to_owned));
    for secret in secrets {
        let at = lower.find(&secret).map(|at| lower[at.saturating_sub(200)..(at + 60).min(lower.len())].to_owned());
        assert!(at.is_none(), "{secret} is in the dump: {at:?}");
        for form in [hexadecimal(&secret), hexadecimal(&secret.to_ascii_uppercase()), hexadecimal("Zqcanary")] {
            assert!(!lower.contains(&form), "{secret} is in the dump as bytes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ciphertexts_moved_to_another_row_are_unreadable() {
    let app = TestApp::start().await;
    let clerk = app.member(Role::ALL).await;
    let mut patients = Vec::new();
    for name in ["ZqcanaryOne", "ZqcanaryTwo"] {
        let input = json!({ "givenName": name, "familyName": name, "birthDate": "1980-01-01", "gender": "FEMALE", "acceptDuplicates": true });
        let data = run(&clerk, "patientRegister", "PatientRegisterInput", "patient { id }", &input).await.ok();
        patients.push(data["patientRegister"]["patient"]["id"].clone());
    }
    app.db_execute(
        "UPDATE patients a SET family_name_ciphertext = b.family_name_ciphertext FROM patients b \
         WHERE a.facility_id = b.facility_id AND a.id <> b.id",
    )
    .await;
    for patient in patients {
        let answer = clerk.run("query($id: ID!) { patient(id: $id) { familyName } }", json!({ "id": patient })).await;
        assert_eq!(answer.errors.len(), 1);
        assert_eq!(answer.code(), "INTERNAL_SERVER_ERROR");
        assert!(answer.data["patient"].is_null());
        let message = answer.errors[0]["message"].as_str().unwrap();
        assert!(message.starts_with("something went wrong on our side; quote request "), "{message}");
    }
}
