//! Finding patients by what identifies them.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{person, register, uuid, with};
use crate::harness::{Client, TestApp};

const SEARCH: &str = "query($input: PatientSearchInput!, $first: Int, $after: String) {
    patientSearch(input: $input, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { matched patient { id familyName givenName } } } }";

/// Full names found, each with how it matched.
async fn found(client: &Client, input: Value) -> Vec<String> {
    let data = client.run(SEARCH, json!({ "input": input })).await.ok();
    let nodes = data["patientSearch"]["nodes"].as_array().unwrap();
    assert_eq!(data["patientSearch"]["totalCount"], json!(nodes.len()));
    nodes
        .iter()
        .map(|node| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let name = format!("{} {}", text(&node["patient"]["givenName"]), text(&node["patient"]["familyName"]));
            format!("{name}: {}", text(&node["matched"]))
        })
        .collect()
}

async fn clinic() -> (TestApp, Client) {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    for (given, family, birth, more) in [
        (
            "Katherine",
            "O’Brien",
            "1984-02-11",
            json!({ "mrn": "LC-1", "ssn": "999-12-3456", "phone": "(617) 555-0142",
            "email": "Kate@example.org", "preferredName": "Kit" }),
        ),
        ("Catherine", "Obryan", "1990-05-05", json!({ "phone": "(212) 555-0142", "ssn": "111-22-3456" })),
        ("Kathleen", "García-López", "1984-02-11", json!({ "middleName": "Ann" })),
        ("Samuel", "Okafor", "1991-07-30", json!({ "email": "sam@example.org" })),
    ] {
        register(&clerk, with(person(given, family, birth), more)).await;
    }
    (app, clerk)
}

#[tokio::test]
async fn names_are_found_however_they_are_spelt() {
    let (_app, clerk) = clinic().await;
    let by = |name: &str, mode: &str| json!({ "name": name, "nameMode": mode });
    for name in ["O’Brien", "obrien", "O'BRIEN", "o brien", "OBrien Katherine", "katherine obrien", "kit"] {
        assert_eq!(found(&clerk, by(name, "EXACT")).await, ["Katherine O’Brien: EXACT"], "{name}");
    }
    for name in ["García-López", "garcia lopez", "garcialopez", "lopez", "kathleen ann garcia"] {
        assert_eq!(found(&clerk, by(name, "EXACT")).await, ["Kathleen García-López: EXACT"], "{name}");
    }
    assert!(found(&clerk, by("obri", "EXACT")).await.is_empty());
    assert!(found(&clerk, by("katherine okafor", "EXACT")).await.is_empty());
}

#[tokio::test]
async fn wider_modes_find_more_and_put_the_better_match_first() {
    let (_app, clerk) = clinic().await;
    let by = |name: &str, mode: &str| json!({ "name": name, "nameMode": mode });
    assert_eq!(
        found(&clerk, by("kath", "PREFIX")).await,
        ["Kathleen García-López: PREFIX", "Katherine O’Brien: PREFIX"]
    );
    // Eight letters are indexed: the ninth is looked at after decryption.
    assert_eq!(found(&clerk, by("katherin", "PREFIX")).await, ["Katherine O’Brien: PREFIX"]);
    assert!(found(&clerk, by("katherinx", "PREFIX")).await.is_empty());
    // The mode left out is PREFIX.
    assert_eq!(found(&clerk, json!({ "name": "oka" })).await, ["Samuel Okafor: PREFIX"]);
    let alike = ["Katherine O’Brien: EXACT", "Catherine Obryan: SOUNDS_LIKE"];
    assert_eq!(found(&clerk, by("Katherine", "SOUNDS_LIKE")).await, alike);
    let alike = ["Catherine Obryan: EXACT", "Katherine O’Brien: SOUNDS_LIKE"];
    assert_eq!(found(&clerk, by("Catherine", "SOUNDS_LIKE")).await, alike);
    let alike = ["Katherine O’Brien: PREFIX", "Catherine Obryan: SOUNDS_LIKE"];
    assert_eq!(found(&clerk, by("katherin obrie", "SOUNDS_LIKE")).await, alike);
}

#[tokio::test]
async fn each_identifier_finds_and_all_given_must_hold() {
    let (_app, clerk) = clinic().await;
    let kate = ["Katherine O’Brien: EXACT"];
    for input in [
        json!({ "mrn": "lc-1" }),
        json!({ "email": "KATE@example.org" }),
        json!({ "phone": "617-555-0142" }),
        json!({ "phone": "+1 (617) 555 0142" }),
        json!({ "birthDate": "1984-02-11", "name": "katherine", "nameMode": "EXACT" }),
        json!({ "ssnLastFour": "3456", "birthDate": "1984-02-11" }),
        json!({ "phone": "555-0142", "ssnLastFour": "3456", "email": "kate@example.org", "mrn": "LC-1" }),
    ] {
        assert_eq!(found(&clerk, input.clone()).await, kate, "{input}");
    }
    let two = ["Kathleen García-López: EXACT", "Katherine O’Brien: EXACT"];
    assert_eq!(found(&clerk, json!({ "birthDate": "1984-02-11" })).await, two);
    let two = ["Katherine O’Brien: EXACT", "Catherine Obryan: EXACT"];
    assert_eq!(found(&clerk, json!({ "phone": "555-0142" })).await, two);
    assert_eq!(found(&clerk, json!({ "ssnLastFour": "3456" })).await, two);
    for input in [
        json!({ "mrn": "LC-2" }),
        json!({ "mrn": "LC-1", "birthDate": "1990-05-05" }),
        json!({ "phone": "617-555-0143" }),
        json!({ "name": "katherine", "email": "sam@example.org" }),
    ] {
        assert!(found(&clerk, input.clone()).await.is_empty(), "{input}");
    }
}

#[tokio::test]
async fn archived_records_are_found_unless_left_out() {
    let (app, clerk) = clinic().await;
    let administrator = app.member(&[Role::Administrator]).await;
    let data = clerk.run(SEARCH, json!({ "input": { "mrn": "LC-1" } })).await.ok();
    let id = &data["patientSearch"]["nodes"][0]["patient"]["id"];
    let archive = super::access::document("patientArchive");
    super::done(
        administrator.run(&archive, json!({ "input": { "id": id, "expectedVersion": 1 } })).await,
        "patientArchive",
    );
    for (status, expected) in [("ACTIVE", 0), ("ARCHIVED", 1)] {
        assert_eq!(found(&clerk, json!({ "mrn": "LC-1", "status": status })).await.len(), expected, "{status}");
    }
    assert_eq!(found(&clerk, json!({ "mrn": "LC-1" })).await.len(), 1);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let app = TestApp::start().await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    for (index, family) in ["Delgado", "Abbott", "Eckhart", "Bauer", "Castillo"].iter().enumerate() {
        register(&clerk, person("Maria", family, &format!("1980-01-0{}", index + 1))).await;
    }
    let mut after = Value::Null;
    let mut pages = Vec::new();
    loop {
        let variables = json!({ "input": { "name": "maria" }, "first": 2, "after": after });
        let data = clerk.run(SEARCH, variables).await.ok();
        let page = &data["patientSearch"];
        assert_eq!(page["totalCount"], 5);
        pages.push(
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| node["patient"]["familyName"].clone())
                .collect::<Vec<_>>(),
        );
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(json!(pages), json!([["Abbott", "Bauer"], ["Castillo", "Delgado"], ["Eckhart"]]));
    // A cursor that is no longer among the results is told, not guessed at.
    let gone = clerk.run(SEARCH, json!({ "input": { "name": "bauer" }, "after": after })).await;
    assert_eq!(gone.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_named() {
    let (_app, clerk) = clinic().await;
    for (input, says) in [
        (json!({}), "at least one thing"),
        (json!({ "name": "k" }), "`name`"),
        (json!({ "name": " - " }), "`name`"),
        (json!({ "phone": "12" }), "`phone`"),
        (json!({ "email": "kate" }), "`email`"),
        (json!({ "ssnLastFour": "12" }), "`ssnLastFour`"),
        (json!({ "mrn": " " }), "`mrn`"),
    ] {
        let answer = clerk.run(SEARCH, json!({ "input": input })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{input}");
        assert!(answer.errors[0]["message"].as_str().unwrap().contains(says), "{input}: {:?}", answer.errors);
    }
    for first in [0, 101] {
        assert_eq!(
            clerk.run(SEARCH, json!({ "input": { "name": "kate" }, "first": first })).await.code(),
            "BAD_USER_INPUT"
        );
    }
}

#[tokio::test]
async fn the_audit_log_learns_what_kinds_were_searched_by_and_who_was_shown() {
    let (app, clerk) = clinic().await;
    let data = clerk
        .run(
            SEARCH,
            json!({ "input": { "birthDate": "1984-02-11", "name": "kath", "nameMode": "SOUNDS_LIKE" }, "first": 1 }),
        )
        .await
        .ok();
    let shown = data["patientSearch"]["nodes"][0]["patient"]["id"].clone();
    let detail = app.db_value("SELECT detail::text FROM audit_log WHERE action = 'patients.search'").await;
    let detail: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(detail, json!({ "by": ["name (sounds like)", "birthDate"], "found": 2 }));
    // Of the two found one was shown; only that one was read.
    let read = app
        .db_query(
            "SELECT r.patient_id::text FROM audit_log s JOIN audit_log r USING (request_id) \
             WHERE s.action = 'patients.search' AND r.action = 'read'",
        )
        .await;
    assert_eq!(read, [[Some(uuid(&shown))]]);
}

#[tokio::test]
async fn a_search_that_may_mean_a_thousand_patients_is_refused() {
    let (app, clerk) = clinic().await;
    // Rows of the index that lead to as many patients, without the patients: they need not be decrypted.
    app.db_execute(
        "INSERT INTO patients SELECT (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(), 'mrn_index', n))).* \
             FROM patients p CROSS JOIN generate_series(1, 1000) n WHERE p.id = (SELECT min(id::text)::uuid FROM patients); \
         INSERT INTO patient_terms SELECT t.facility_id, t.term, p.id FROM patients p CROSS JOIN patient_terms t \
             WHERE p.mrn_index BETWEEN 1 AND 1000 AND t.patient_id = (SELECT min(id::text)::uuid FROM patients WHERE mrn_index NOT BETWEEN 1 AND 1000) \
             ON CONFLICT DO NOTHING",
    )
    .await;
    let terms = app.db_value("SELECT count(*) FROM patient_terms GROUP BY term ORDER BY 1 DESC LIMIT 1").await;
    assert!(terms.parse::<i32>().unwrap() > 1000);
    let answer = clerk.run(SEARCH, json!({ "input": { "name": "kat" } })).await;
    assert_eq!(answer.code(), "LIMIT_EXCEEDED");
    // Narrowed by what they do not share, it is answered.
    assert_eq!(found(&clerk, json!({ "name": "cath" })).await, ["Catherine Obryan: PREFIX"]);
}

#[tokio::test]
async fn a_search_reads_the_index_of_terms_under_row_level_security() {
    use anamnesis::ids::TypedId as _;
    let (app, clerk) = clinic().await;
    let user = clerk.user.unwrap().uuid();
    app.db_execute("ANALYZE patient_terms").await;
    let plan = crate::harness::query_text(
        &app.database.server_url,
        &format!(
            "BEGIN; SELECT bind('facility', '{facility}', '{user}', 'all', now()); SET LOCAL enable_seqscan = off; \
             EXPLAIN (COSTS OFF) SELECT t.patient_id FROM unnest('{{1,2}}'::bigint[], '{{0,1}}'::smallint[]) AS q (term, number) \
                 JOIN patient_terms t ON t.facility_id = '{facility}' AND t.term = q.term \
                 GROUP BY t.patient_id HAVING count(DISTINCT q.number) = 2; ROLLBACK",
            facility = app.facility.uuid(),
        ),
    )
    .await;
    let plan: Vec<String> = plan.into_iter().filter_map(|row| row[0].clone()).collect();
    let plan = plan.join("\n");
    let condition = plan.lines().find(|line| line.contains("Index Cond")).unwrap_or_else(|| panic!("{plan}"));
    assert!(condition.contains("facility_id =") && condition.contains("term ="), "{plan}");
}
