//! The facility itself: reading, creating, changing, suspending.

use anamnesis::access::Role;
use anamnesis::ids::{FacilityId, TypedId as _};
use serde_json::{Value, json};

use super::{administrator, audited, db_second_factor, done, mailed_token, refused, staff, state, super_admin};
use crate::harness::TestApp;

const CREATE: &str = "mutation($input: FacilityCreateInput!) { facilityCreate(input: $input) {
    facility { id name kind npi address { line1 line2 city state zipCode } phone timeZone status version
        settings { restrictTherapistsToOwnPatients breakGlassMinutes invitationDays requireSecondFactor } }
    userErrors { code field message } } }";
const UPDATE: &str = "mutation($input: FacilityUpdateInput!) { facilityUpdate(input: $input) {
    facility { name kind npi address { city } phone timeZone version } userErrors { code field } } }";
const SETTINGS: &str = "mutation($input: FacilitySettingsUpdateInput!) { facilitySettingsUpdate(input: $input) {
    facility { version settings { restrictTherapistsToOwnPatients breakGlassMinutes invitationDays
        requireSecondFactor } } userErrors { code field } } }";
const SUSPEND: &str = "mutation($input: FacilitySuspendInput!) { facilitySuspend(input: $input) {
    facility { status suspensionReason } userErrors { code field } } }";
const REINSTATE: &str = "mutation($input: FacilityReinstateInput!) { facilityReinstate(input: $input) {
    facility { status suspensionReason } userErrors { code field } } }";

fn new_facility() -> Value {
    json!({ "name": "Jacaranda Center", "kind": "COMMUNITY_MENTAL_HEALTH_CENTER", "npi": "1234567893",
        "address": { "line1": "4 Jacaranda Way", "city": "Los Angeles", "state": "CA", "zipCode": "90012" },
        "phone": "(213) 555-0168", "timeZone": "America/Los_Angeles",
        "administratorEmail": "lucinda@jacaranda.example.org", "administratorTitle": "Executive Director" })
}

#[tokio::test]
async fn the_platform_creates_a_facility_and_invites_its_first_administrator() {
    let app = TestApp::start().await;
    let root = super_admin(&app).await;
    let created = done(root.run(CREATE, json!({ "input": new_facility() })).await, "facilityCreate");
    let facility = &created["facility"];
    assert_eq!(facility["name"], "Jacaranda Center");
    assert_eq!(facility["phone"], "+12135550168");
    assert_eq!(facility["address"]["line2"], Value::Null);
    assert_eq!(facility["status"], "ACTIVE");
    assert_eq!(facility["settings"]["breakGlassMinutes"], 60);
    assert_eq!(facility["settings"]["invitationDays"], 7);

    let id = FacilityId::decode(facility["id"].as_str().unwrap()).unwrap();
    let keys = app.db_value(&format!("SELECT count(*) FROM facility_keys WHERE facility_id = '{}'", id.uuid())).await;
    assert_eq!(keys, "2", "a data key and an index key");
    let token = mailed_token(&app, id).await.unwrap();
    let preview = app
        .anonymous()
        .run(
            "query($token: String!) { invitationPreview(token: $token) { facilityName title roles { role primary } status
                accountExists } }",
            json!({ "token": token }),
        )
        .await
        .ok();
    assert_eq!(
        preview["invitationPreview"],
        json!({ "facilityName": "Jacaranda Center", "title": "Executive Director", "status": "PENDING",
            "roles": [{ "role": "ADMINISTRATOR", "primary": true }], "accountExists": false })
    );
    assert_eq!(audited(&app, FacilityId::PLATFORM, "facilities.create", "success").await, "1");
    assert_eq!(audited(&app, id, "facilities.create", "success").await, "2", "the facility, and the invitation");
}

#[tokio::test]
async fn a_facility_is_created_once_however_often_it_is_sent() {
    let app = TestApp::start().await;
    let root = super_admin(&app).await;
    let mut input = new_facility();
    input["idempotencyKey"] = json!("jacaranda-1");
    let first = done(root.run(CREATE, json!({ "input": input })).await, "facilityCreate");
    let before = state(&app).await;
    let again = done(root.run(CREATE, json!({ "input": input })).await, "facilityCreate");
    assert_eq!(first["facility"]["id"], again["facility"]["id"]);
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn a_malformed_or_taken_identifier_creates_nothing() {
    let app = TestApp::start().await;
    let root = super_admin(&app).await;
    done(root.run(CREATE, json!({ "input": new_facility() })).await, "facilityCreate");
    let before = state(&app).await;
    let mut input = new_facility();
    assert_eq!(refused(root.run(CREATE, json!({ "input": input })).await, "facilityCreate"), "NPI_TAKEN");
    input["npi"] = json!("1234567890");
    input["timeZone"] = json!("Los Angeles");
    input["administratorEmail"] = json!("nobody");
    let answer = root.run(CREATE, json!({ "input": input })).await.ok();
    let errors = answer["facilityCreate"]["userErrors"].as_array().unwrap().clone();
    let fields: Vec<_> = errors.iter().map(|error| error["field"][1].clone()).collect();
    assert_eq!(fields, ["npi", "timeZone", "administratorEmail"]);
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn only_the_platform_lists_and_creates_facilities() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nobody = app.signed_in(boss.user, FacilityId::PLATFORM).await;
    let before = state(&app).await;
    for (client, code) in [(&boss.client, "FORBIDDEN"), (&nobody, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.run(CREATE, json!({ "input": new_facility() })).await.code(), code);
        assert_eq!(client.run("{ facilities { totalCount } }", json!({})).await.code(), code);
        let target = json!({ "facilityId": app.other.encode(), "reason": "LEGAL" });
        assert_eq!(client.run(SUSPEND, json!({ "input": target })).await.code(), code);
        let target = json!({ "facilityId": app.other.encode() });
        assert_eq!(client.run(REINSTATE, json!({ "input": target })).await.code(), code);
    }
    assert_eq!(state(&app).await, before);
    assert_eq!(audited(&app, app.facility, "facilities.create", "denied").await, "1");
}

#[tokio::test]
async fn the_platform_lists_facilities_by_page_and_state_without_itself() {
    let app = TestApp::start().await;
    let root = super_admin(&app).await;
    let query = "query($first: Int, $after: String, $status: FacilityStatus) {
        facilities(first: $first, after: $after, status: $status) {
            totalCount nodes { name } pageInfo { hasNextPage endCursor } } }";
    let first = root.run(query, json!({ "first": 1 })).await.ok();
    assert_eq!(first["facilities"]["totalCount"], 2);
    assert_eq!(first["facilities"]["nodes"][0]["name"], "Hillside Clinic");
    let cursor = &first["facilities"]["pageInfo"]["endCursor"];
    let second = root.run(query, json!({ "first": 1, "after": cursor })).await.ok();
    assert_eq!(second["facilities"]["nodes"][0]["name"], "Lakeside Clinic");
    assert_eq!(second["facilities"]["pageInfo"]["hasNextPage"], false);
    let suspended = root.run(query, json!({ "status": "SUSPENDED" })).await.ok();
    assert_eq!(suspended["facilities"]["totalCount"], 0);
    assert_eq!(root.run(query, json!({ "first": 101 })).await.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_member_reads_their_facility_and_no_other() {
    let app = TestApp::start().await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    let read = nurse.client.run("{ facility { id name timeZone } }", json!({})).await.ok();
    assert_eq!(
        read["facility"],
        json!({ "id": app.facility.encode(), "name": "Lakeside Clinic", "timeZone": "America/New_York" })
    );
    let node = "query($id: ID!) { node(id: $id) { id ... on Facility { name } } }";
    let own = nurse.client.run(node, json!({ "id": app.facility.encode() })).await.ok();
    assert_eq!(own["node"]["name"], "Lakeside Clinic");
    let other = nurse.client.run(node, json!({ "id": app.other.encode() })).await.ok();
    assert_eq!(other["node"], Value::Null);
    assert_eq!(app.anonymous().run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    let unchosen = app.signed_in(nurse.user, FacilityId::PLATFORM).await;
    assert_eq!(unchosen.run("{ facility { id } }", json!({})).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn an_administrator_changes_the_facility_leaving_what_is_not_named() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let input = json!({ "expectedVersion": 1, "name": "Lakeside Hospital", "kind": "HOSPITAL", "npi": "1234567893",
        "address": { "line1": "1 Shore", "city": "Boston", "state": "MA", "zipCode": "02110" }, "phone": "617 555 0142" });
    let changed = done(boss.client.run(UPDATE, json!({ "input": input })).await, "facilityUpdate");
    assert_eq!(
        changed["facility"],
        json!({ "name": "Lakeside Hospital", "kind": "HOSPITAL", "npi": "1234567893", "address": { "city": "Boston" },
            "phone": "+16175550142", "timeZone": "America/New_York", "version": 2 })
    );
    let input = json!({ "expectedVersion": 2, "npi": null, "timeZone": "America/Chicago" });
    let changed = done(boss.client.run(UPDATE, json!({ "input": input })).await, "facilityUpdate");
    assert_eq!(
        changed["facility"],
        json!({ "name": "Lakeside Hospital", "kind": "HOSPITAL", "npi": null, "address": { "city": "Boston" },
            "phone": "+16175550142", "timeZone": "America/Chicago", "version": 3 })
    );
    let detail = app
        .db_value("SELECT string_agg(detail ->> 'changed', ' ' ORDER BY id) FROM audit_log WHERE action = 'facilities.update'")
        .await;
    assert_eq!(detail, r#"["name", "kind", "npi", "address", "phone"] ["npi", "timeZone"]"#);
}

#[tokio::test]
async fn a_stale_or_malformed_change_of_the_facility_changes_nothing() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    app.db_execute(&format!("UPDATE facilities SET npi = '1234567893' WHERE id = '{}'", app.other.uuid())).await;
    let before = state(&app).await;
    for (input, code) in [
        (json!({ "expectedVersion": 7, "name": "New" }), "STALE_VERSION"),
        (json!({ "expectedVersion": 1, "name": " " }), "INVALID"),
        (json!({ "expectedVersion": 1, "timeZone": "Mars/Olympus" }), "INVALID"),
        (json!({ "expectedVersion": 1, "npi": "1234567890" }), "INVALID"),
        (json!({ "expectedVersion": 1, "npi": "1234567893" }), "NPI_TAKEN"),
    ] {
        assert_eq!(
            refused(boss.client.run(UPDATE, json!({ "input": input })).await, "facilityUpdate"),
            code,
            "{input}"
        );
    }
    let null = json!({ "input": { "expectedVersion": 1, "name": null } });
    assert_eq!(boss.client.run(UPDATE, null).await.code(), "BAD_USER_INPUT");
    assert_eq!(state(&app).await, before);
    assert_eq!(audited(&app, app.facility, "facilities.update", "refused").await, "6");
}

#[tokio::test]
async fn settings_change_one_by_one_and_null_is_the_default() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let input = json!({ "expectedVersion": 1, "breakGlassMinutes": 120, "invitationDays": 3,
        "restrictTherapistsToOwnPatients": true });
    done(boss.client.run(SETTINGS, json!({ "input": input })).await, "facilitySettingsUpdate");
    let input = json!({ "expectedVersion": 2, "breakGlassMinutes": null });
    let changed = done(boss.client.run(SETTINGS, json!({ "input": input })).await, "facilitySettingsUpdate");
    assert_eq!(
        changed["facility"],
        json!({ "version": 3, "settings": { "restrictTherapistsToOwnPatients": true, "breakGlassMinutes": 60,
            "invitationDays": 3, "requireSecondFactor": false } })
    );
    let read_by_sql = app
        .db_value(
            "SELECT settings ->> 'restrictTherapistsToOwnPatients' FROM facilities WHERE name = 'Lakeside Clinic'",
        )
        .await;
    assert_eq!(read_by_sql, "true");
}

#[tokio::test]
async fn settings_out_of_range_or_stale_change_nothing() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let before = state(&app).await;
    for (input, code) in [
        (json!({ "expectedVersion": 1, "breakGlassMinutes": 14 }), "INVALID"),
        (json!({ "expectedVersion": 1, "breakGlassMinutes": 481 }), "INVALID"),
        (json!({ "expectedVersion": 1, "invitationDays": 31 }), "INVALID"),
        (json!({ "expectedVersion": 9, "invitationDays": 5 }), "STALE_VERSION"),
        (json!({ "expectedVersion": 1, "requireSecondFactor": true }), "SECOND_FACTOR_REQUIRED"),
    ] {
        let answer = boss.client.run(SETTINGS, json!({ "input": input })).await;
        assert_eq!(refused(answer, "facilitySettingsUpdate"), code, "{input}");
    }
    assert_eq!(state(&app).await, before);
}

#[tokio::test]
async fn a_facility_that_asks_for_a_second_factor_is_closed_to_sign_ins_without_one() {
    let app = TestApp::start().await;
    let boss = administrator(&app).await;
    let nurse = staff(&app, "Nora Quill", &[Role::Nurse]).await;
    db_second_factor(&app, boss.user).await;
    let input = json!({ "input": { "expectedVersion": 1, "requireSecondFactor": true } });
    done(boss.client.run(SETTINGS, input).await, "facilitySettingsUpdate");
    boss.client.run("{ facility { id } }", json!({})).await.ok();
    assert_eq!(nurse.client.run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    // Turned off again, it does not count any more, although the session began with it.
    app.db_execute("DELETE FROM user_totp").await;
    assert_eq!(boss.client.run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_suspended_facility_is_closed_at_the_next_request_until_it_is_reinstated() {
    let app = TestApp::start().await;
    let (root, boss) = (super_admin(&app).await, administrator(&app).await);
    let target = json!({ "facilityId": app.facility.encode() });
    assert_eq!(
        refused(root.run(REINSTATE, json!({ "input": target })).await, "facilityReinstate"),
        "FACILITY_NOT_SUSPENDED"
    );
    let with_reason = json!({ "facilityId": app.facility.encode(), "reason": "SECURITY" });
    let suspended = done(root.run(SUSPEND, json!({ "input": with_reason })).await, "facilitySuspend");
    assert_eq!(suspended["facility"], json!({ "status": "SUSPENDED", "suspensionReason": "SECURITY" }));
    assert_eq!(boss.client.run("{ facility { id } }", json!({})).await.code(), "UNAUTHENTICATED");
    let before = state(&app).await;
    assert_eq!(
        refused(root.run(SUSPEND, json!({ "input": with_reason })).await, "facilitySuspend"),
        "FACILITY_NOT_ACTIVE"
    );
    assert_eq!(state(&app).await, before);

    let back = done(root.run(REINSTATE, json!({ "input": target })).await, "facilityReinstate");
    assert_eq!(back["facility"], json!({ "status": "ACTIVE", "suspensionReason": null }));
    boss.client.run("{ facility { id } }", json!({})).await.ok();
    for log in [FacilityId::PLATFORM, app.facility] {
        assert_eq!(audited(&app, log, "facilities.suspend", "success").await, "1");
        assert_eq!(audited(&app, log, "facilities.reinstate", "success").await, "1");
    }
    let unknown = json!({ "facilityId": anamnesis::ids::new_id::<FacilityId>().encode(), "reason": "LEGAL" });
    assert_eq!(root.run(SUSPEND, json!({ "input": unknown })).await.code(), "NOT_FOUND");
}
