//! Accounts read and changed.

use anamnesis::access::{PlatformRole, Role};
use anamnesis::domains::identity::service;
use anamnesis::ids::{FacilityId, TypedId as _};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{PASSWORD, VIEWER, person, refusal, sign_in, try_sign_in};
use crate::harness::{Client, TestApp};

const UPDATE: &str = "mutation($input: UserUpdateInput!) { userUpdate(input: $input) {
    user { displayName phone npi licenseNumber locale timeZone version } userErrors { code field } } }";
const USER: &str = "query($id: ID!) { user(id: $id) { id displayName email phone } node(id: $id) { id } }";

async fn update(client: &Client, input: Value) -> Value {
    client.run(UPDATE, json!({ "input": input })).await.ok()["userUpdate"].take()
}

#[tokio::test]
async fn a_user_changes_their_own_account() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    let changed = update(
        &client,
        json!({ "expectedVersion": 1, "displayName": " Dr. Maria Okafor ", "phone": "+44 20 7946 0958",
        "npi": "1234567893", "licenseNumber": "MA-12345", "locale": "es-US", "timeZone": "America/New_York" }),
    )
    .await;
    assert_eq!(
        changed,
        json!({ "user": { "displayName": "Dr. Maria Okafor", "phone": "+442079460958", "npi": "1234567893",
            "licenseNumber": "MA-12345", "locale": "es-US", "timeZone": "America/New_York", "version": 2 }, "userErrors": [] })
    );
    // What is left out stays, null clears.
    let changed = update(&client, json!({ "expectedVersion": 2, "phone": null, "npi": null })).await;
    assert_eq!(
        changed["user"],
        json!({ "displayName": "Dr. Maria Okafor", "phone": null, "npi": null, "licenseNumber": "MA-12345",
            "locale": "es-US", "timeZone": "America/New_York", "version": 3 })
    );
    let details = super::audit(&app, "identity.user_update").await;
    assert_eq!(details[1], ("success".to_owned(), json!({ "changed": ["phone", "npi"] })));
}

#[tokio::test]
async fn what_is_malformed_or_stale_changes_nothing() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    let all = json!({ "expectedVersion": 1, "displayName": " ", "phone": "call me", "npi": "1234567890",
        "licenseNumber": "<script>", "locale": "e", "timeZone": "Mars/Base" });
    let refused = update(&client, all).await;
    let fields: Vec<&str> =
        refused["userErrors"].as_array().unwrap().iter().map(|error| error["field"][1].as_str().unwrap()).collect();
    assert_eq!(fields, ["displayName", "phone", "npi", "licenseNumber", "locale", "timeZone"]);
    let stale = update(&client, json!({ "expectedVersion": 7, "displayName": "Someone Else" })).await;
    assert_eq!(refusal(&stale), "STALE_VERSION");
    let nobody = app.anonymous().run(UPDATE, json!({ "input": { "expectedVersion": 1 } })).await;
    assert_eq!(nobody.code(), "UNAUTHENTICATED");
    let viewer = client.run(VIEWER, json!({})).await.ok();
    assert_eq!(
        (&viewer["viewer"]["user"]["displayName"], &viewer["viewer"]["user"]["version"]),
        (&json!("Maria Okafor"), &json!(1))
    );
}

#[tokio::test]
async fn a_change_sent_again_with_its_key_happens_once() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let client = sign_in(&app, &person, PASSWORD).await.client(&app);
    let input = json!({ "expectedVersion": 1, "displayName": "Maria O.", "idempotencyKey": "one" });
    for _ in 0..2 {
        assert_eq!(update(&client, input.clone()).await["user"]["version"], 2);
    }
    let other = json!({ "input": { "expectedVersion": 1, "displayName": "Someone", "idempotencyKey": "one" } });
    assert_eq!(client.run(UPDATE, other).await.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn colleagues_see_each_other_and_people_in_care_see_the_name_alone() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    app.db_create_member(app.facility, person.id, &[Role::Physician]).await;
    let id = json!({ "id": person.id.encode() });
    let nurse = app.member(&[Role::Nurse]).await;
    let seen = nurse.run(USER, id.clone()).await.ok();
    assert_eq!(seen["user"]["email"], "maria.okafor@lakeside.example");
    assert_eq!((&seen["user"]["phone"], &seen["node"]["id"]), (&json!("+16175550142"), &id["id"]));
    let patient = app.member(&[Role::Patient]).await;
    let seen = patient.run(USER, id.clone()).await.ok();
    assert_eq!(seen["user"], json!({ "id": id["id"], "displayName": "Maria Okafor", "email": null, "phone": null }));
    // Seeing a colleague's account is on record; seeing one's own is not.
    let reads = "SELECT count(*) FROM audit_log WHERE action = 'read' AND detail::text LIKE '%User%'";
    assert_eq!(app.db_value(reads).await, "2");
    let own = json!({ "id": nurse.user.unwrap().encode() });
    nurse.run(USER, own).await.ok();
    assert_eq!(app.db_value(reads).await, "2");
}

#[tokio::test]
async fn an_account_of_another_facility_is_not_there() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    app.db_create_member(app.facility, person.id, &[Role::Physician]).await;
    let id = json!({ "id": person.id.encode() });
    let elsewhere = app.member_of(app.other, &[Role::Administrator]).await;
    let nothing = json!({ "user": null, "node": null });
    assert_eq!(elsewhere.run(USER, id.clone()).await.ok(), nothing);
    // Without a facility chosen, only oneself.
    let stranger = super::person(&app, "eve@lakeside.example").await;
    let outside = sign_in(&app, &stranger, PASSWORD).await.client(&app);
    assert_eq!(outside.run(USER, id.clone()).await.ok(), nothing);
    let own = outside.run(USER, json!({ "id": stranger.id.encode() })).await.ok();
    assert_eq!(own["user"]["email"], "eve@lakeside.example");
    assert_eq!(app.anonymous().run(USER, id).await.code(), "UNAUTHENTICATED");
    assert_eq!(app.anonymous().run(VIEWER, json!({})).await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_platform_sees_accounts_and_its_roles_show() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    let admin = super::person(&app, "root@anamnesis.example").await;
    let ctx = app.system(FacilityId::PLATFORM);
    service::grant_platform_role(&ctx, admin.id, PlatformRole::SupportAdmin).await.unwrap();
    service::grant_platform_role(&ctx, admin.id, PlatformRole::SupportAdmin).await.unwrap();
    let client = sign_in(&app, &admin, PASSWORD).await.client(&app);
    assert_eq!(client.run(VIEWER, json!({})).await.ok()["viewer"]["platformRoles"], json!(["SUPPORT_ADMIN"]));
    let seen = client.run(USER, json!({ "id": person.id.encode() })).await.ok();
    assert_eq!(seen["user"]["email"], "maria.okafor@lakeside.example");
}

#[tokio::test]
async fn an_address_has_one_account() {
    let app = TestApp::start().await;
    person(&app, "maria.okafor@lakeside.example").await;
    let account = anamnesis::domains::identity::model::NewAccount {
        email: "MARIA.okafor@lakeside.example".into(),
        display_name: "Another Maria".into(),
        phone: None,
        password: None,
        locale: None,
        time_zone: None,
        npi: None,
        license_number: None,
    };
    let taken = service::make_account(&app.system(FacilityId::PLATFORM), account.clone()).await.unwrap_err();
    assert!(format!("{taken:?}").contains("EmailTaken"));
    let malformed = anamnesis::domains::identity::model::NewAccount { email: "maria at lakeside".into(), ..account };
    let refused = service::make_account(&app.system(FacilityId::PLATFORM), malformed).await.unwrap_err();
    assert!(format!("{refused:?}").contains("Invalid"));
}

#[tokio::test]
async fn what_has_run_out_is_swept_and_what_runs_stays() {
    let app = TestApp::start().await;
    let person = person(&app, "maria.okafor@lakeside.example").await;
    sign_in(&app, &person, PASSWORD).await;
    try_sign_in(&app, "nobody@lakeside.example", "not the password").await;
    app.advance(TimeDelta::days(38));
    let running = sign_in(&app, &person, PASSWORD).await;
    let swept = service::sweep(&app.system(FacilityId::PLATFORM)).await.unwrap();
    // One refresh token of a session that has ended, and what was counted for the unknown account and the address.
    assert_eq!(swept, 3);
    assert_eq!(app.db_value("SELECT count(*) FROM refresh_tokens").await, "1");
    assert_eq!(app.db_value("SELECT count(*) FROM sign_in_throttles").await, "0");
    super::try_refresh(&app, &running.refresh).await["tokens"].as_object().unwrap();
}
