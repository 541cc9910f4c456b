//! What the README promises: its tour, run as it stands there.

use std::process::Stdio;
use std::sync::Arc;

use anamnesis::access::Role;
use anamnesis::jobs::Worker;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::domains::documents::register;
use crate::domains::documents::wire::post_document;
use crate::domains::identity::{PASSWORD, person};
use crate::harness::{TestApp, engines};

/// The first script below a heading.
fn script(readme: &str, heading: &str) -> String {
    let below = readme.split_once(heading).expect("the heading").1;
    let (_, script) = below.split_once("```sh\n").expect("a script");
    script.split_once("```").expect("its end").0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_finds_the_document_by_its_meaning() {
    engines::provide_model().await;
    let app = TestApp::start().await;
    let physician = person(&app, "naomi.feldgate@example.org").await;
    app.db_create_member(app.facility, physician.id, &[Role::Physician]).await;
    // Others that it must be told apart from.
    let client = app.signed_in(physician.id, app.facility).await;
    let patient = register(&app, "Ada").await;
    for name in ["court-ordered-evaluation", "hospital-discharge-summary", "neuropsychological-evaluation"] {
        let content = std::fs::read(format!("demo/documents/{name}.pdf")).unwrap();
        let metadata = json!({ "kind": "MEDICAL_RECORD", "patientIds": [patient] });
        assert_eq!(post_document(&client, &metadata, &format!("{name}.pdf"), &content).await.status, 201);
    }
    let stop = CancellationToken::new();
    let worker = Worker::new(Arc::clone(&app.app), anamnesis::domains::job_handlers(&app.app));
    let stopped = stop.clone();
    let working = tokio::spawn(async move { worker.run(stopped).await });

    let tour = script(&std::fs::read_to_string("README.md").unwrap(), "## A tour");
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &tour])
        .env("API", &app.base)
        .env("EMAIL", &physician.email)
        .env("PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    stop.cancel();
    working.await.unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let found: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let hit = &found["data"]["documentSearch"]["edges"][0]["node"];
    assert_eq!(hit["document"]["patients"], json!([{ "familyName": "Fennimore" }]), "{found}");
    assert_eq!(hit["passage"]["page"], 2);
}

/// `cargo run` says which program it means as long as there is but one to be meant.
#[tokio::test]
async fn its_first_command_names_one_program() {
    let described = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap();
    assert!(described.status.success(), "{}", String::from_utf8_lossy(&described.stderr));
    let described: Value = serde_json::from_slice(&described.stdout).unwrap();
    let meant = described["workspace_default_members"].as_array().unwrap();
    let packages = described["packages"].as_array().unwrap().iter().filter(|package| meant.contains(&package["id"]));
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    let programs: Vec<&Value> =
        targets.filter(|target| target["kind"] == json!(["bin"])).map(|target| &target["name"]).collect();
    assert_eq!(programs, [&json!("anamnesis")]);
}
