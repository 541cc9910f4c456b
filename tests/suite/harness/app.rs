//! A server under test with a database of its own, and people to talk to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anamnesis::access::{Bearer, RequestContext, Role};
use anamnesis::app::{App, Engines};
use anamnesis::clock::Clock;
use anamnesis::config::Config;
use anamnesis::crypto::Keyring;
use anamnesis::crypto::keyring::Environment;
use anamnesis::domains::identity;
use anamnesis::domains::identity::model::NewAccount;
use anamnesis::ids::{FacilityId, MemberId, SessionId, TypedId as _, UserId, new_id};
use anamnesis::jobs::Worker;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::client::Client;
use super::cluster::{TestDatabase, cluster, execute};
use super::engines;
use super::relay::Relay;

/// A server of one test.
pub struct TestApp {
    pub app: Arc<App>,
    pub database: TestDatabase,
    pub base: String,
    /// The facility most tests play in.
    pub facility: FacilityId,
    /// Another one, whose data must stay invisible.
    pub other: FacilityId,
    pub storage: tempfile::TempDir,
    /// Mail is in its folder `mail`, unless it goes to a mail server.
    pub mail: tempfile::TempDir,
    stop: CancellationToken,
}

/// When tests play: a Monday.
pub fn start_of_tests() -> DateTime<Utc> {
    "2026-03-09T14:00:00Z".parse().unwrap()
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with further settings.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_over(cluster().database().await, settings).await
    }

    /// A server that reaches its database through a relay.
    pub async fn start_through_relay() -> (Self, Relay) {
        let mut database = cluster().database().await;
        let relay = Relay::open(&database.server_url);
        database.server_url = relay.url();
        (Self::start_over(database, &[]).await, relay)
    }

    async fn start_over(database: TestDatabase, settings: &[(&str, &str)]) -> Self {
        let storage = tempfile::tempdir().unwrap();
        let storage_url = format!("file://{}", storage.path().display());
        let mut values: BTreeMap<String, String> = [
            ("ANAMNESIS_ENVIRONMENT", "development"),
            ("DATABASE_URL", database.server_url.as_str()),
            ("ANAMNESIS_DATABASE_POOL", "4"),
            ("ANAMNESIS_REQUESTS_PER_MINUTE", "1000000"),
            ("ANAMNESIS_STORAGE_URL", storage_url.as_str()),
            // Nobody listens there: no test talks to the provider itself.
            ("ANAMNESIS_WHATSAPP_ENDPOINT", "http://127.0.0.1:1/v21.0"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let mail = tempfile::tempdir().unwrap();
        if !settings.iter().any(|(name, _)| *name == "ANAMNESIS_SMTP_URL") {
            values.insert("ANAMNESIS_MAIL_FOLDER".to_owned(), mail.path().join("mail").display().to_string());
        }
        values.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = Config::from_values(&values).unwrap();
        let environment = match config.environment {
            anamnesis::config::Environment::Development => Environment::Development,
            anamnesis::config::Environment::Production => Environment::Production,
        };
        let keyring = Keyring::generate(environment).unwrap();
        let engines = engines::of(&config);
        let app = App::with_engines(config, keyring, Clock::manual(start_of_tests()), engines).unwrap();
        app.prepare().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(anamnesis::http::serve(Arc::clone(&app), listener, stop.clone()));
        let (facility, other) = (new_id(), new_id());
        let this = Self { app, database, base, facility, other, storage, mail, stop };
        this.db_create_facility(facility, "Lakeside Clinic").await;
        this.db_create_facility(other, "Hillside Clinic").await;
        this
    }

    /// Address of a server that cannot reach its database. It ends with the test.
    pub async fn without_database() -> String {
        let storage = tempfile::tempdir().unwrap();
        let storage_url = format!("file://{}", storage.path().display());
        let values = [
            ("ANAMNESIS_ENVIRONMENT", "development"),
            ("DATABASE_URL", "postgres://anamnesis_server@127.0.0.1:1/nothing"),
            ("ANAMNESIS_DATABASE_WAIT_SECONDS", "1"),
            ("ANAMNESIS_STORAGE_URL", storage_url.as_str()),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let keyring = Keyring::generate(Environment::Development).unwrap();
        let app = App::new(Config::from_values(&values).unwrap(), keyring, Clock::manual(start_of_tests())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(anamnesis::http::serve(app, listener, CancellationToken::new()));
        base
    }

    /// A second process over the same database, files and keys, with engines of its own: where it is reached, too.
    pub async fn another_process(&self, engines: Engines) -> (Arc<App>, String) {
        let keyring = Keyring::clone(&self.app.keyring);
        let app = App::with_engines(self.app.config.clone(), keyring, self.app.clock.clone(), engines).unwrap();
        app.prepare().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(anamnesis::http::serve(Arc::clone(&app), listener, self.stop.clone()));
        (app, base)
    }

    /// Has the server stop, as a signal would.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        self.app.clock.advance(by);
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Someone who has not signed in.
    pub fn anonymous(&self) -> Client {
        Client::new(self.base.clone())
    }

    /// A new member of the facility with these roles, signed in.
    pub async fn member(&self, roles: &[Role]) -> Client {
        self.member_of(self.facility, roles).await
    }

    /// A new member of any facility with these roles, signed in.
    pub async fn member_of(&self, facility: FacilityId, roles: &[Role]) -> Client {
        let user = self.db_create_user().await;
        self.db_create_member(facility, user, roles).await;
        self.signed_in(user, facility).await
    }

    /// A client of a user with a session of their own, bound to a facility.
    pub async fn signed_in(&self, user: UserId, facility: FacilityId) -> Client {
        let session = self.db_create_session(user).await;
        let token = self.app.tokens.issue(Bearer { user, session, facility }, self.now()).unwrap();
        self.anonymous().signed_in(user, token)
    }

    /// A context of the server itself.
    pub fn system(&self, facility: FacilityId) -> RequestContext {
        RequestContext::system(Arc::clone(&self.app), facility, "test")
    }

    /// Does every job that is due.
    pub async fn work(&self) -> usize {
        Worker::new(Arc::clone(&self.app), anamnesis::domains::job_handlers(&self.app)).drain().await.unwrap()
    }

    /// Runs SQL as the superuser.
    pub async fn db_execute(&self, statement: &str) {
        execute(&self.database.superuser_url, &[statement]).await;
    }

    /// Rows of a query as the superuser, each column as text.
    pub async fn db_query(&self, query: &str) -> Vec<Vec<Option<String>>> {
        query_text(&self.database.superuser_url, query).await
    }

    /// The one value of a query as the superuser.
    pub async fn db_value(&self, query: &str) -> String {
        self.db_query(query).await[0][0].clone().unwrap()
    }

    /// All rows of all tables, as whoever has the disk or a backup reads them.
    pub fn db_dump(&self) -> String {
        let output = std::process::Command::new(cluster().program("pg_dump"))
            .args(["--data-only", "--inserts", "--dbname", &self.database.superuser_url])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub async fn db_create_facility(&self, id: FacilityId, name: &str) {
        let statement = format!(
            "INSERT INTO facilities (id, name, kind, time_zone, created_at, updated_at) \
             VALUES ('{}', '{name}', 'clinic', 'America/New_York', '{now}', '{now}')",
            id.uuid(),
            now = self.now().to_rfc3339(),
        );
        self.db_execute(&statement).await;
        self.app.ensure_keys(id).await.unwrap();
    }

    /// A login without a password: tests that sign in go through the API.
    pub async fn db_create_user(&self) -> UserId {
        let account = NewAccount {
            email: format!("{}@test.example", Uuid::now_v7().simple()).into(),
            display_name: "Robin Example".into(),
            phone: None,
            password: None,
            locale: None,
            time_zone: None,
            npi: None,
            license_number: None,
        };
        identity::service::make_account(&self.system(FacilityId::PLATFORM), account).await.unwrap()
    }

    pub async fn db_create_member(&self, facility: FacilityId, user: UserId, roles: &[Role]) -> MemberId {
        let id: MemberId = new_id();
        let now = self.now().to_rfc3339();
        let mut statement = format!(
            "INSERT INTO facility_members (facility_id, id, user_id, status, joined_at, created_at, updated_at) \
             VALUES ('{}', '{}', '{}', 'active', '{now}', '{now}', '{now}');",
            facility.uuid(),
            id.uuid(),
            user.uuid(),
        );
        for (index, role) in roles.iter().enumerate() {
            statement += &format!(
                "INSERT INTO member_roles (facility_id, id, member_id, role, primary_role, created_at) \
                 VALUES ('{}', gen_random_uuid(), '{}', '{}', {}, '{now}');",
                facility.uuid(),
                id.uuid(),
                role.as_str(),
                index == 0,
            );
        }
        self.db_execute(&statement).await;
        id
    }

    pub async fn db_create_session(&self, user: UserId) -> SessionId {
        let id: SessionId = new_id();
        let now = self.now();
        let statement = format!(
            "INSERT INTO user_sessions (id, user_id, created_at, last_refreshed_at, expires_at) \
             VALUES ('{}', '{}', '{now}', '{now}', '{}')",
            id.uuid(),
            user.uuid(),
            (now + TimeDelta::days(30)).to_rfc3339(),
            now = now.to_rfc3339(),
        );
        self.db_execute(&statement).await;
        id
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        self.app.database.close();
    }
}

/// Rows of a query, each column as text.
pub async fn query_text(url: &str, query: &str) -> Vec<Vec<Option<String>>> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let messages = client.simple_query(query).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    messages
        .into_iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(ToOwned::to_owned)).collect())
            }
            _ => None,
        })
        .collect()
}
