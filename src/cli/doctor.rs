//! Looks at everything the server relies on, and says what to do about what is wrong.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::Failure;
use crate::antivirus::Scanner;
use crate::app::{App, Engines, recognizer};
use crate::clock::Clock;
use crate::config::{Config, Places};
use crate::crypto::Keyring;
use crate::db::{self, migrate, sql};
use crate::ids::FacilityId;
use crate::mail::{MailError, Mailer};
use crate::provision;
use crate::storage::Storage;

/// Written and removed again.
const PROBE: &str = "doctor-probe";

/// First release of pgvector without a known fault in what the server uses.
const PGVECTOR: (u32, u32, u32) = (0, 8, 4);
/// First major version of PostgreSQL the server is tested with.
const POSTGRES_MAJOR: i64 = 18;

/// What was found, a line each.
#[derive(Default)]
struct Findings {
    faults: usize,
}

impl Findings {
    fn ok(what: &str) {
        println!("OK    {what}");
    }

    fn fault(&mut self, what: &str, remedy: &str) {
        self.faults += 1;
        println!("FAULT {what}\n      {remedy}");
    }

    fn note(&mut self, holds: bool, what: &str, remedy: &str) {
        if holds { Self::ok(what) } else { self.fault(what, remedy) }
    }
}

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    let mut findings = Findings::default();
    database(&config, &mut findings).await;
    pending(&config, &mut findings).await;
    keys(&config, &mut findings).await;
    model(&config, &mut findings).await;
    storage(&config, &mut findings).await;
    mail(&config, &mut findings).await;
    pictures(&config).await;
    viruses(&config, &mut findings).await;
    match findings.faults {
        0 => Ok(()),
        1 => Err("one fault was found".into()),
        faults => Err(format!("{faults} faults were found").into()),
    }
}

#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = BigInt)]
    major: i64,
    #[diesel(sql_type = Nullable<Text>)]
    vector: Option<String>,
    #[diesel(sql_type = Bool)]
    powerful: bool,
    #[diesel(sql_type = BigInt)]
    owned: i64,
    #[diesel(sql_type = BigInt)]
    unforced: i64,
    #[diesel(sql_type = BigInt)]
    months: i64,
    #[diesel(sql_type = Nullable<Text>)]
    replaceable: Option<String>,
}

const SERVER: &str = "\
    SELECT current_setting('server_version_num')::bigint / 10000 AS major, \
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector, \
        (SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user) \
            AS powerful, \
        (SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)) \
            AS owned, \
        (SELECT count(*) FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
            AND NOT (relrowsecurity AND relforcerowsecurity) AND (relispartition OR EXISTS (SELECT FROM pg_attribute a \
                WHERE a.attrelid = c.oid AND a.attname IN ('facility_id', 'user_id') AND NOT a.attisdropped))) AS unforced, \
        (SELECT count(*) FROM generate_series(0, 2) AS ahead \
            WHERE to_regclass('public.audit_log_' || to_char(now() AT TIME ZONE 'UTC' + ahead * interval '1 month', \
                'YYYY_MM')) IS NOT NULL) AS months, \
        (SELECT max(hash) FROM replaceable_state) AS replaceable";

async fn database(config: &Config, findings: &mut Findings) {
    let Some(url) = &config.database_url else {
        return findings.fault("DATABASE_URL is not set", "give the URL of PostgreSQL for the server's role");
    };
    let connection = match db::open(url.reveal()).await {
        Ok(connection) => connection,
        Err(error) => {
            return findings
                .fault(&format!("the database cannot be reached: {error}"), "check DATABASE_URL and the server");
        }
    };
    Findings::ok("the database can be reached");
    let mut borrowed: &AsyncPgConnection = &connection;
    let looked: Result<Server, _> = sql(SERVER).get_result(&mut borrowed).await;
    match looked {
        Ok(server) => judge(&server, findings),
        Err(_) => findings.fault("the database has not the tables of the server", "run `anamnesis migrate`"),
    }
}

fn judge(server: &Server, findings: &mut Findings) {
    findings.note(
        server.major >= POSTGRES_MAJOR,
        &format!("PostgreSQL {}", server.major),
        &format!("upgrade to PostgreSQL {POSTGRES_MAJOR} or later"),
    );
    let (major, minor, patch) = PGVECTOR;
    findings.note(
        server.vector.as_deref().is_some_and(|version| parsed(version) >= PGVECTOR),
        &format!("pgvector {}", server.vector.as_deref().unwrap_or("is not installed")),
        &format!("install pgvector {major}.{minor}.{patch} or later, then run `ALTER EXTENSION vector UPDATE`"),
    );
    findings.note(
        !server.powerful,
        "the server's role is no superuser, bypasses no row-level security, makes no roles and no databases",
        "let DATABASE_URL name a role without those powers; tenants are kept apart by row-level security",
    );
    findings.note(
        server.owned == 0,
        "the server's role owns nothing",
        "let another role own the schema, and run `anamnesis migrate` as that one",
    );
    findings.note(
        server.unforced == 0,
        &format!("{} tables of tenants or users without forced row-level security", server.unforced),
        "run `anamnesis migrate`; if it stays, somebody changed the tables",
    );
    findings.note(
        server.replaceable.as_deref() == Some(migrate::replaceable_hash().as_str()),
        "functions and policies are those of this version",
        "run `anamnesis migrate`",
    );
    findings.note(
        server.months == 3,
        &format!("{} of 3 months of the audit log are prepared", server.months),
        "run a worker (`anamnesis work`), or `anamnesis migrate`",
    );
}

fn parsed(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

async fn pending(config: &Config, findings: &mut Findings) {
    let Some(owner) = &config.owner_database_url else {
        println!("--    migrations are not compared: ANAMNESIS_OWNER_DATABASE_URL is not set");
        return;
    };
    match migrate::pending(owner).await {
        Ok(pending) if pending.is_empty() => Findings::ok("no migration is pending"),
        Ok(pending) => findings.fault(&format!("{} migrations are pending", pending.len()), "run `anamnesis migrate`"),
        Err(_) => findings.fault("the owner's database cannot be reached", "check ANAMNESIS_OWNER_DATABASE_URL"),
    }
}

async fn keys(config: &Config, findings: &mut Findings) {
    let Some(path) = &config.keyring else {
        return findings.fault("ANAMNESIS_KEYRING is not set", "make a key ring with `anamnesis keys init`");
    };
    let ring = match Keyring::load(path) {
        Ok(ring) => ring,
        Err(error) => {
            return findings.fault(&format!("the key ring does not load: {error}"), "restore it from its copy");
        }
    };
    Findings::ok("the key ring loads");
    if ring.require(config.environment).is_err() {
        return findings.fault(
            "the key ring was made for another environment",
            "make one for this environment, or set ANAMNESIS_ENVIRONMENT",
        );
    }
    let Ok(app) = App::new(config.clone(), ring, Clock::System) else { return };
    match app.keys_work(FacilityId::PLATFORM).await {
        Ok(()) => Findings::ok("the keys of the platform unwrap"),
        Err(error) if error.code() == "NOT_FOUND" => {
            println!("--    the platform has no keys yet; the first start makes them");
        }
        Err(_) => findings.fault(
            "the keys of the platform do not unwrap",
            "the key ring is not the one this database was written with: restore it from its copy",
        ),
    }
    app.database.close();
}

async fn model(config: &Config, findings: &mut Findings) {
    if let Some(url) = &config.embedding_url {
        // Any answer will do: what the endpoint says to a bare request is its own affair.
        let reached = reqwest::Client::new().get(url).timeout(std::time::Duration::from_secs(10)).send().await.is_ok();
        return findings.note(
            reached,
            "the embedding endpoint answers",
            "check ANAMNESIS_EMBEDDING_URL and the network",
        );
    }
    let folder = config.model_dir.clone().unwrap_or_else(|| provision::model_folder(&Places::from_environment().cache));
    match provision::verify_model(&folder) {
        Ok(()) => Findings::ok("the embedding model is there, byte for byte"),
        Err(file) => findings.fault(
            &format!("the embedding model in {} lacks {file}, or has another one", folder.display()),
            "run `anamnesis fetch-model`, or set ANAMNESIS_MODEL_DIR to a folder with the pinned model",
        ),
    }
}

async fn storage(config: &Config, findings: &mut Findings) {
    let written = match Storage::open(config) {
        Ok(storage) => match storage.put_record(PROBE, String::new()).await {
            Ok(()) => storage.delete(PROBE).await.is_ok(),
            Err(_) => false,
        },
        Err(_) => false,
    };
    findings.note(
        written,
        "files can be written and removed",
        "check ANAMNESIS_STORAGE_URL, and that the folder or bucket is open to the account the server runs as",
    );
}

/// Not a fault when it is missing: scans are kept, and can be read once it is there.
async fn pictures(config: &Config) {
    let found = Engines::of(config).ok().and_then(|engines| recognizer(config, &engines.extractor));
    let Some(found) = found else {
        println!("--    text in pictures and scans is not read: tesseract is not installed");
        println!("      `apt-get install tesseract-ocr poppler-utils`, `dnf install tesseract poppler-utils` or");
        println!("      `brew install tesseract poppler`, or set ANAMNESIS_TESSERACT; then retry those documents");
        return;
    };
    if let Ok(version) = found.version().await {
        Findings::ok(&format!("{version} reads text in pictures, in {}", found.languages));
    } else {
        println!("--    text in pictures is not read: {} cannot be run without a network", found.tesseract.display());
        println!("      the kernel must permit filters of system calls (seccomp)");
    }
    if found.pdftoppm.is_none() {
        println!(
            "--    scanned PDFs are read picture by picture: install pdftoppm (poppler-utils) to read whole pages"
        );
    }
}

async fn viruses(config: &Config, findings: &mut Findings) {
    let Some(address) = &config.clamd_url else {
        println!("--    files are not scanned for viruses: ANAMNESIS_CLAMD_URL is not set");
        return;
    };
    match Scanner::new(address.clone()).check().await {
        Ok(()) => Findings::ok("the virus scanner answers"),
        Err(error) => findings.fault(
            &format!("{error}: no file is read or served before it was scanned"),
            "start clamd, or check ANAMNESIS_CLAMD_URL",
        ),
    }
}

async fn mail(config: &Config, findings: &mut Findings) {
    let checked = match Mailer::of(config) {
        Ok(mailer) => mailer.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) if config.smtp_url.is_some() => Findings::ok("the mail server lets us in"),
        Ok(()) => Findings::ok("mail is written to a folder, and not sent"),
        Err(MailError::NotConfigured) => findings.fault(
            "there is no mail server: password resets and invitations are not sent",
            "set ANAMNESIS_SMTP_URL and ANAMNESIS_MAIL_FROM",
        ),
        Err(error) => findings.fault(&format!("mail: {error}"), "check ANAMNESIS_SMTP_URL or ANAMNESIS_MAIL_FOLDER"),
    }
}
