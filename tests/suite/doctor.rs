//! `anamnesis doctor`, as an operator runs it.

use std::process::Command;

use anamnesis::config::Places;
use anamnesis::crypto::Keyring;
use anamnesis::crypto::keyring::Environment;

use crate::harness::{TestApp, engines};

/// What the doctor is told of the server it looks at.
struct Patient {
    app: TestApp,
    folder: tempfile::TempDir,
}

/// What the doctor said.
struct Report {
    healthy: bool,
    text: String,
}

impl Report {
    /// The faults, each with its remedy.
    fn faults(&self) -> Vec<(&str, &str)> {
        let mut lines = self.text.lines().peekable();
        let mut faults = Vec::new();
        while let Some(line) = lines.next() {
            if let Some(fault) = line.strip_prefix("FAULT ") {
                faults.push((fault, lines.next().unwrap_or_default().trim()));
            }
        }
        faults
    }
}

impl Patient {
    async fn new() -> Self {
        engines::provide_model().await;
        let app = TestApp::start().await;
        let folder = tempfile::tempdir().unwrap();
        Keyring::clone(&app.app.keyring).save_new(&folder.path().join("keyring.toml")).unwrap();
        Self { app, folder }
    }

    /// Runs the doctor with some settings other than those of a healthy server.
    fn examined(&self, settings: &[(&str, &str)]) -> Report {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let model = Places::from_environment().cache.0.join("models").join(anamnesis::embedding::LOCAL_MODEL);
        let mut command = Command::new(env!("CARGO_BIN_EXE_anamnesis"));
        command.arg("doctor").env_clear().envs([
            ("ANAMNESIS_ENVIRONMENT", "development".to_owned()),
            ("DATABASE_URL", self.app.database.server_url.clone()),
            ("ANAMNESIS_OWNER_DATABASE_URL", self.app.database.owner_url.clone()),
            ("ANAMNESIS_KEYRING", path("keyring.toml")),
            ("ANAMNESIS_STORAGE_URL", format!("file://{}", path("files"))),
            ("ANAMNESIS_MAIL_FOLDER", path("mail")),
            ("ANAMNESIS_MODEL_DIR", model.display().to_string()),
        ]);
        std::fs::create_dir_all(self.folder.path().join("files")).unwrap();
        command.envs(settings.iter().copied());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Report { healthy: output.status.success(), text }
    }

    /// The one fault there must be, and its remedy.
    #[track_caller]
    fn fault(&self, settings: &[(&str, &str)]) -> (String, String) {
        let report = self.examined(settings);
        assert!(!report.healthy);
        let faults = report.faults();
        assert_eq!(faults.len(), 1, "{}", report.text);
        (faults[0].0.to_owned(), faults[0].1.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_has_no_fault() {
    let patient = Patient::new().await;
    let report = patient.examined(&[]);
    assert_eq!(report.faults(), [], "{}", report.text);
    assert!(report.healthy);
    assert_eq!(report.text.lines().filter(|line| line.starts_with("OK ")).count(), 14, "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_pictures_is_asked_for_and_its_absence_is_no_fault() {
    let patient = Patient::new().await;
    let without = patient.examined(&[]);
    assert!(without.healthy && without.text.contains("apt-get install tesseract-ocr"), "{}", without.text);
    let tool = patient.folder.path().join("tesseract");
    std::fs::write(&tool, "#!/bin/sh\necho tesseract 5.3.0\n").unwrap();
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let with = patient.examined(&[("ANAMNESIS_TESSERACT", &tool.display().to_string())]);
    assert!(with.text.contains("OK    tesseract 5.3.0 reads text in pictures, in eng"), "{}", with.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virus_scanner_that_does_not_answer_is_a_fault() {
    let patient = Patient::new().await;
    let (fault, remedy) = patient.fault(&[("ANAMNESIS_CLAMD_URL", "tcp://127.0.0.1:1")]);
    assert!(fault.starts_with("the virus scanner cannot be reached"), "{fault}");
    assert_eq!(remedy, "start clamd, or check ANAMNESIS_CLAMD_URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_is_no_role_for_a_server() {
    let patient = Patient::new().await;
    let superuser = patient.app.database.superuser_url.clone();
    let report = patient.examined(&[("DATABASE_URL", &superuser)]);
    let faults = report.faults();
    assert!(faults[0].0.contains("is no superuser"), "{}", report.text);
    assert!(faults[0].1.contains("row-level security"), "{}", report.text);
    assert!(!report.healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_no_role_for_a_server() {
    let patient = Patient::new().await;
    let owner = patient.app.database.owner_url.clone();
    let report = patient.examined(&[("DATABASE_URL", &owner)]);
    assert!(report.faults().iter().any(|(fault, _)| fault.contains("owns nothing")), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_row_level_security_is_a_fault() {
    let patient = Patient::new().await;
    patient.app.db_execute("ALTER TABLE patients NO FORCE ROW LEVEL SECURITY").await;
    let (fault, remedy) = patient.fault(&[]);
    assert!(fault.starts_with("1 tables of tenants or users without forced row-level security"), "{fault}");
    assert!(remedy.contains("anamnesis migrate"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_migration_is_a_fault() {
    let patient = Patient::new().await;
    let last =
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)";
    patient.app.db_execute(last).await;
    let (fault, remedy) = patient.fault(&[]);
    assert_eq!((fault.as_str(), remedy.as_str()), ("1 migrations are pending", "run `anamnesis migrate`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_functions_and_policies_are_a_fault() {
    let patient = Patient::new().await;
    patient.app.db_execute("UPDATE replaceable_state SET hash = 'another'").await;
    let (_, remedy) = patient.fault(&[]);
    assert_eq!(remedy, "run `anamnesis migrate`");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_needs_beside_its_database_is_looked_at() {
    let patient = Patient::new().await;
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().display().to_string();
    let (fault, remedy) = patient.fault(&[("ANAMNESIS_MODEL_DIR", &folder)]);
    assert!(fault.contains("lacks") && remedy.contains("anamnesis fetch-model"), "{fault}: {remedy}");

    let other = empty.path().join("keyring.toml");
    Keyring::generate(Environment::Development).unwrap().save_new(&other).unwrap();
    let (fault, _) = patient.fault(&[("ANAMNESIS_KEYRING", other.to_str().unwrap())]);
    assert_eq!(fault, "the keys of the platform do not unwrap");

    let (_, remedy) = patient.fault(&[("ANAMNESIS_STORAGE_URL", "file:///dev/null/files")]);
    assert!(remedy.contains("ANAMNESIS_STORAGE_URL"), "{remedy}");

    let (fault, remedy) = patient.fault(&[("ANAMNESIS_MAIL_FOLDER", ""), ("ANAMNESIS_SMTP_URL", "smtp://127.0.0.1:1")]);
    assert!(fault.starts_with("mail: the mail server is not reached"), "{fault}");
    assert!(remedy.contains("ANAMNESIS_SMTP_URL"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_said_once_and_without_its_password() {
    let patient = Patient::new().await;
    let away = "postgres://anamnesis_server:hunter2@127.0.0.1:1/nothing";
    let report = patient.examined(&[("DATABASE_URL", away)]);
    assert!(report.text.contains("the database cannot be reached"), "{}", report.text);
    assert!(!report.text.contains("hunter2"), "{}", report.text);
}

#[test]
fn production_without_a_mail_server_is_a_fault_and_a_server_without_its_model_does_not_start() {
    let empty = tempfile::tempdir().unwrap();
    let run = |command: &str| {
        Command::new(env!("CARGO_BIN_EXE_anamnesis"))
            .arg(command)
            .env_clear()
            .env("DATABASE_URL", "postgres://anamnesis_server@127.0.0.1:1/nothing")
            .env("ANAMNESIS_MODEL_DIR", empty.path())
            .output()
            .unwrap()
    };
    let report = String::from_utf8(run("doctor").stdout).unwrap();
    assert!(report.contains("FAULT there is no mail server: password resets and invitations are not sent"), "{report}");
    for command in ["serve", "work"] {
        let output = run(command);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(said.contains("model.safetensors is missing; fetch it with `anamnesis fetch-model`"), "{said}");
    }
}
