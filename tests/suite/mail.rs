//! Mail, from the mutation that causes it to the mail server or the folder.

use std::sync::{Arc, Mutex};

use anamnesis::access::Role;
use anamnesis::domains::identity::model::NewAccount;
use anamnesis::domains::identity::service;
use anamnesis::ids::FacilityId;
use chrono::TimeDelta;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::TestApp;

const ADDRESS: &str = "maria.okafor@lakeside.example";
const REQUEST: &str =
    "mutation($email: String!) { passwordResetRequest(input: { email: $email }) { accepted userErrors { code } } }";
const RESET: &str =
    "mutation($input: PasswordResetInput!) { passwordReset(input: $input) { reset userErrors { code } } }";
const INVITE: &str = "mutation($input: MemberInviteInput!) { memberInvite(input: $input) { userErrors { code } } }";

/// What a mail server was told in one conversation.
#[derive(Debug, Clone, Default)]
struct Told {
    from: String,
    to: Vec<String>,
    data: String,
}

/// A mail server of one test, that answers every recipient with `verdict`.
async fn mail_server(verdict: &'static str) -> (String, Arc<Mutex<Vec<Told>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, verdict, Arc::clone(&heard)));
        }
    });
    (url, told)
}

async fn converse(stream: TcpStream, verdict: &'static str, heard: Arc<Mutex<Vec<Told>>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut told, mut in_data) = (Told::default(), false);
    write.write_all(b"220 mail.test ESMTP\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "." if in_data => {
                in_data = false;
                heard.lock().unwrap().push(std::mem::take(&mut told));
                "250 taken"
            }
            _ if in_data => {
                told.data.extend([line.as_str(), "\n"]);
                continue;
            }
            "EHLO" => "250 mail.test",
            "MAIL" => {
                told.from.clone_from(&line);
                "250 ok"
            }
            "RCPT" => {
                told.to.push(line.clone());
                verdict
            }
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn account(app: &TestApp) {
    let account = NewAccount {
        email: ADDRESS.into(),
        display_name: "Maria Okafor".into(),
        phone: None,
        password: None,
        locale: None,
        time_zone: None,
        npi: None,
        license_number: None,
    };
    service::make_account(&app.system(FacilityId::PLATFORM), account).await.unwrap();
}

async fn ask(app: &TestApp) {
    account(app).await;
    app.anonymous().run(REQUEST, json!({ "email": ADDRESS })).await.ok();
}

/// The mails in the folder.
fn written(app: &TestApp) -> Vec<String> {
    // Made with the first mail.
    std::fs::read_dir(app.mail.path().join("mail"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .inspect(|path| assert_eq!(path.extension().unwrap(), "eml"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// The secret at the end of the link in a mail.
fn token(mail: &str, page: &str) -> String {
    let link = mail.split_whitespace().find(|word| word.contains(page)).expect(mail);
    link.split_once("#token=").expect(link).1.to_owned()
}

async fn job(app: &TestApp) -> String {
    app.db_value("SELECT kind || ' ' || state || ' ' || coalesce(last_error, '') FROM jobs").await
}

#[tokio::test]
async fn a_link_in_the_folder_sets_a_new_password() {
    let app = TestApp::start_with(&[("ANAMNESIS_APP_URL", "https://app.lakeside.example/")]).await;
    ask(&app).await;
    assert_eq!(app.work().await, 1);
    let mails = written(&app);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("https://app.lakeside.example/password-reset#token="), "{}", mails[0]);
    assert!(
        mails[0].contains(&format!("To: {ADDRESS}")) && !mails[0].contains("Okafor\"") && !mails[0].contains("Maria ")
    );
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
    let input = json!({ "token": token(&mails[0], "/password-reset"), "newPassword": "a quiet harbour at dusk 41" });
    let reset = app.anonymous().run(RESET, json!({ "input": input })).await.ok();
    assert_eq!(reset["passwordReset"], json!({ "reset": true, "userErrors": [] }));
}

#[tokio::test]
async fn nobody_gets_no_mail() {
    let app = TestApp::start().await;
    app.anonymous().run(REQUEST, json!({ "email": "nobody@lakeside.example" })).await.ok();
    assert_eq!(app.work().await, 1);
    assert_eq!(written(&app), Vec::<String>::new());
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
}

#[tokio::test]
async fn an_invitation_names_the_facility_and_leads_to_it() {
    let app = TestApp::start().await;
    let administrator = app.member(&[Role::Administrator]).await;
    let input = json!({ "email": "new.colleague@lakeside.example", "roles": [{ "role": "NURSE" }] });
    let invited = administrator.run(INVITE, json!({ "input": input })).await.ok();
    assert_eq!(invited["memberInvite"]["userErrors"], json!([]));
    assert_eq!(app.work().await, 1);
    let mails = written(&app);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Subject: Invitation to Lakeside Clinic"), "{}", mails[0]);
    let hash = app.db_value("SELECT encode(token_hash, 'hex') FROM facility_invitations").await;
    let sent = anamnesis::crypto::token::TokenHash::of_token(&token(&mails[0], "/invitation"));
    assert_eq!(hash, sent.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    // The folder holds what opens accounts: it is nobody else's to read.
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(app.mail.path().join("mail")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o077, 0);
}

#[tokio::test]
async fn a_mail_server_is_given_the_mail_once() {
    let (url, told) = mail_server("250 ok").await;
    let app = TestApp::start_with(&[
        ("ANAMNESIS_SMTP_URL", &url),
        ("ANAMNESIS_MAIL_FROM", "Anamnesis <no-reply@records.example>"),
    ])
    .await;
    ask(&app).await;
    let id = app.db_value("SELECT id FROM jobs").await;
    assert_eq!(app.work().await, 1);
    let told = told.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert!(told[0].from.starts_with("MAIL FROM:<no-reply@records.example>"), "{told:?}");
    assert_eq!(told[0].to, [format!("RCPT TO:<{ADDRESS}>")]);
    assert!(told[0].data.contains(&format!("Message-ID: <{id}@records.example>")), "{told:?}");
    assert_eq!(token(&told[0].data, "/password-reset").len(), 43);
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
}

#[tokio::test]
async fn an_address_the_server_does_not_take_is_not_tried_again() {
    let (url, told) = mail_server("550 <maria.okafor@lakeside.example> is unknown here").await;
    let app = TestApp::start_with(&[("ANAMNESIS_SMTP_URL", &url)]).await;
    ask(&app).await;
    app.work().await;
    // What the server answered quotes the address: only our own word for it is kept.
    assert_eq!(job(&app).await, "mail.password_reset dead MAIL_REFUSED");
    assert!(told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_busy_server_is_asked_again_until_the_link_has_run_out() {
    let (url, _) = mail_server("451 later").await;
    let app = TestApp::start_with(&[("ANAMNESIS_SMTP_URL", &url)]).await;
    ask(&app).await;
    app.work().await;
    assert_eq!(job(&app).await, "mail.password_reset queued MAIL_UNAVAILABLE");
    app.advance(TimeDelta::hours(1));
    app.work().await;
    // A link that opens nothing is not sent.
    assert_eq!(app.db_value("SELECT count(*) FROM jobs").await, "0");
}

#[tokio::test]
async fn without_a_mail_server_production_lets_mail_wait() {
    let app = TestApp::start_with(&[("ANAMNESIS_ENVIRONMENT", "production"), ("ANAMNESIS_MAIL_FOLDER", "")]).await;
    ask(&app).await;
    app.work().await;
    assert_eq!(job(&app).await, "mail.password_reset queued MAIL_NOT_CONFIGURED");
    assert_eq!(written(&app), Vec::<String>::new());
}
