//! Every setting, typed, read once. All faults are listed at once; secrets are redacted; `.env.example`
//! is printed from the same table and a test holds it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use lettre::message::Mailbox;

use crate::antivirus::ScannerAddress;
use crate::db::embedded;
use crate::provision::CacheDir;

/// A secret: never shown by `Debug`, taken out with [`Secret::reveal`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Where the server runs. Production refuses development keys and hides introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Development,
    Production,
}

impl FromStr for Environment {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err("must be development or production"),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// A comma-separated list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl FromStr for List {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()))
    }
}

/// What one setting is, for `.env.example` and the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    pub default: Option<&'static str>,
    pub meaning: &'static str,
}

/// All faults found, one a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} wrong:\n{}", if .0.len() == 1 { "one setting is".to_owned() } else { format!("{} settings are", .0.len()) }, .0.join("\n"))]
pub struct Faults(pub Vec<String>);

/// One setting read: absent and without a default is `None`.
fn read<T>(values: &BTreeMap<String, String>, faults: &mut Vec<String>, name: &str, default: Option<&str>) -> Option<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let text = values.get(name).map(String::as_str).filter(|text| !text.is_empty()).or(default)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            // The value itself is not repeated: it may be a secret put into the wrong setting.
            faults.push(format!("  {name}: {error}"));
            None
        }
    }
}

/// Declares the settings once: field, type, name, default, meaning.
macro_rules! settings {
    (required { $($(#[doc = $rdoc:literal])+ $rfield:ident: $rtype:ty = $rname:literal, $rdefault:literal;)* }
     optional { $($(#[doc = $odoc:literal])+ $ofield:ident: $otype:ty = $oname:literal;)* }) => {
        /// Every setting of the server.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $rdoc])+ pub $rfield: $rtype,)*
            $($(#[doc = $odoc])+ pub $ofield: Option<$otype>,)*
        }

        /// The table behind [`Config`].
        pub const SETTINGS: &[Setting] = &[
            $(Setting { name: $rname, default: Some($rdefault), meaning: concat!($($rdoc),+) },)*
            $(Setting { name: $oname, default: None, meaning: concat!($($odoc),+) },)*
        ];

        impl Config {
            /// Reads settings from names and values.
            ///
            /// # Errors
            /// [`Faults`] lists every setting that is wrong, unknown ones among them.
            pub fn from_values(values: &BTreeMap<String, String>) -> Result<Self, Faults> {
                let mut faults = Vec::new();
                for name in values.keys().filter(|name| name.starts_with("ANAMNESIS_")) {
                    if !SETTINGS.iter().any(|setting| setting.name == name.as_str()) {
                        faults.push(format!("  {name}: there is no such setting"));
                    }
                }
                $(let $rfield = read::<$rtype>(values, &mut faults, $rname, Some($rdefault));)*
                $(let $ofield = read::<$otype>(values, &mut faults, $oname, None);)*
                match ($($rfield,)*) {
                    ($(Some($rfield),)*) if faults.is_empty() => {
                        let config = Self { $($rfield,)* $($ofield,)* };
                        config.check(&mut faults);
                        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
                    }
                    _ => Err(Faults(faults)),
                }
            }
        }
    };
}

settings! {
    required {
        /// development or production. Production refuses development keys, hides introspection and the playground.
        environment: Environment = "ANAMNESIS_ENVIRONMENT", "production";
        /// Address and port to listen on.
        listen: SocketAddr = "ANAMNESIS_LISTEN", "127.0.0.1:8080";
        /// Where clients reach the server; download links begin with it.
        public_url: String = "ANAMNESIS_PUBLIC_URL", "http://127.0.0.1:8080";
        /// Connections to the database.
        database_pool: usize = "ANAMNESIS_DATABASE_POOL", "10";
        /// Seconds a request waits for a free connection.
        database_wait_seconds: u64 = "ANAMNESIS_DATABASE_WAIT_SECONDS", "5";
        /// Where files are kept: <file:///a/folder> or <s3://bucket/prefix>. They are encrypted before they get there.
        storage_url: String = "ANAMNESIS_STORAGE_URL", "file:///var/lib/anamnesis/files";
        /// Jobs a worker does at once.
        worker_concurrency: usize = "ANAMNESIS_WORKER_CONCURRENCY", "2";
        /// Minutes an access token lives, 1 to 15.
        access_token_minutes: u32 = "ANAMNESIS_ACCESS_TOKEN_MINUTES", "10";
        /// Days a session may be refreshed without being used.
        session_idle_days: u32 = "ANAMNESIS_SESSION_IDLE_DAYS", "7";
        /// Days after which a session ends however it is used.
        session_days: u32 = "ANAMNESIS_SESSION_DAYS", "30";
        /// Whether the client's address is taken from X-Forwarded-For; only behind a proxy that sets it.
        trust_forwarded_for: bool = "ANAMNESIS_TRUST_FORWARDED_FOR", "false";
        /// Deepest nesting of an operation.
        max_depth: usize = "ANAMNESIS_MAX_DEPTH", "12";
        /// Most complex operation: fields, times the rows they may return.
        max_complexity: usize = "ANAMNESIS_MAX_COMPLEXITY", "5000";
        /// Most aliases in an operation.
        max_aliases: usize = "ANAMNESIS_MAX_ALIASES", "30";
        /// Most values in a list argument.
        max_list: usize = "ANAMNESIS_MAX_LIST", "200";
        /// Largest body of a GraphQL request, in bytes, files not counted.
        max_body_bytes: usize = "ANAMNESIS_MAX_BODY_BYTES", "1048576";
        /// Seconds after which a GraphQL request is stopped.
        request_seconds: u64 = "ANAMNESIS_REQUEST_SECONDS", "20";
        /// Requests a minute for one signed-in user, or one address that is not signed in.
        requests_per_minute: u32 = "ANAMNESIS_REQUESTS_PER_MINUTE", "600";
        /// Origins of browser apps that may call, separated by commas.
        cors_origins: List = "ANAMNESIS_CORS_ORIGINS", "";
        /// text or json.
        log_format: LogFormat = "ANAMNESIS_LOG_FORMAT", "json";
        /// What is logged: error, warn, info, debug, or a filter such as anamnesis=debug.
        log_filter: String = "ANAMNESIS_LOG_FILTER", "info";
        /// Largest upload, in bytes; at most 52428800 (50 MiB).
        max_upload_bytes: u64 = "ANAMNESIS_MAX_UPLOAD_BYTES", "52428800";
        /// Memory one text extraction may use, in MiB.
        extraction_memory_mib: u64 = "ANAMNESIS_EXTRACTION_MEMORY_MIB", "512";
        /// Seconds one text extraction may take.
        extraction_seconds: u64 = "ANAMNESIS_EXTRACTION_SECONDS", "30";
        /// Languages that text in pictures and scans is read in, as tesseract names them; its data for each must be installed.
        ocr_languages: OcrLanguages = "ANAMNESIS_OCR_LANGUAGES", "eng";
        /// Hours events are kept for subscribers that were away.
        event_hours: u32 = "ANAMNESIS_EVENT_HOURS", "72";
        /// Passages from which on a facility is searched by cells instead of exactly; cells are made and remade in the background.
        search_cells_from: u64 = "ANAMNESIS_SEARCH_CELLS_FROM", "25000";
        /// Where WhatsApp's Cloud API is, with its version. Nothing is sent there unless a facility sets a number up.
        whatsapp_endpoint: String = "ANAMNESIS_WHATSAPP_ENDPOINT", "https://graph.facebook.com/v21.0";
        /// Who mail comes from.
        mail_from: Mailbox = "ANAMNESIS_MAIL_FROM", "Anamnesis <no-reply@localhost>";
    }
    optional {
        /// PostgreSQL, as the unprivileged server role. Without it, `demo` uses the embedded PostgreSQL.
        database_url: Secret = "DATABASE_URL";
        /// PostgreSQL as the unprivileged server role, past a pooler that keeps no sessions (LISTEN); by default `DATABASE_URL`.
        session_database_url: Secret = "ANAMNESIS_SESSION_DATABASE_URL";
        /// PostgreSQL as the owner of the schema; only `migrate` and `doctor` use it.
        owner_database_url: Secret = "ANAMNESIS_OWNER_DATABASE_URL";
        /// The key ring file, made by `anamnesis keys init`.
        keyring: PathBuf = "ANAMNESIS_KEYRING";
        /// Folder for the embedded PostgreSQL and the embedding model; by default below the user's cache folder.
        cache_dir: PathBuf = "ANAMNESIS_CACHE_DIR";
        /// Folder of the demo's data; by default below the user's data folder.
        data_dir: PathBuf = "ANAMNESIS_DATA_DIR";
        /// Folder with model.safetensors, tokenizer.json and config.json of the local embedding model.
        model_dir: PathBuf = "ANAMNESIS_MODEL_DIR";
        /// Base URL of an OpenAI-compatible embedding endpoint, instead of the local model.
        embedding_url: String = "ANAMNESIS_EMBEDDING_URL";
        /// Name of the model at that endpoint.
        embedding_model: String = "ANAMNESIS_EMBEDDING_MODEL";
        /// Dimensions of its vectors.
        embedding_dimensions: usize = "ANAMNESIS_EMBEDDING_DIMENSIONS";
        /// Its API key.
        embedding_api_key: Secret = "ANAMNESIS_EMBEDDING_API_KEY";
        /// The program `tesseract`, which reads text in pictures and scans; by default where the search path has it.
        tesseract: PathBuf = "ANAMNESIS_TESSERACT";
        /// The program `pdftoppm`, which draws pages of scanned PDFs; by default where the search path has it.
        pdftoppm: PathBuf = "ANAMNESIS_PDFTOPPM";
        /// Virus scanner (clamd): `tcp://host:3310` or `unix:///run/clamav/clamd.ctl`. With it no file is read or served before it was scanned.
        clamd_url: ScannerAddress = "ANAMNESIS_CLAMD_URL";
        /// Base URL of an OpenAI-compatible endpoint for chat, such as `https://api.example.org/v1`: it words answers from passages, which are sent without what identifies a person as far as that can be told. Without it, questions are answered with the passages alone.
        chat_url: String = "ANAMNESIS_CHAT_URL";
        /// Name of the model at that endpoint.
        chat_model: String = "ANAMNESIS_CHAT_MODEL";
        /// Its API key.
        chat_api_key: Secret = "ANAMNESIS_CHAT_API_KEY";
        /// Base URL of an endpoint for reranking (`/rerank`, as Jina, Cohere, vLLM and llama.cpp have it), such as `https://rerank.example.org/v1`. The passages of searches that ask for it are sent there as they are.
        rerank_url: String = "ANAMNESIS_RERANK_URL";
        /// Name of the cross-encoder at that endpoint.
        rerank_model: String = "ANAMNESIS_RERANK_MODEL";
        /// Its API key.
        rerank_api_key: Secret = "ANAMNESIS_RERANK_API_KEY";
        /// Endpoint of an S3-compatible store, when it is not AWS.
        s3_endpoint: String = "ANAMNESIS_S3_ENDPOINT";
        /// Region of the S3 bucket.
        s3_region: String = "ANAMNESIS_S3_REGION";
        /// Access key of the S3 bucket.
        s3_access_key: String = "ANAMNESIS_S3_ACCESS_KEY";
        /// Secret key of the S3 bucket.
        s3_secret_key: Secret = "ANAMNESIS_S3_SECRET_KEY";
        /// Whether introspection is open; by default only in development.
        introspection: bool = "ANAMNESIS_INTROSPECTION";
        /// Whether the playground page is served; by default only in development.
        playground: bool = "ANAMNESIS_PLAYGROUND";
        /// File of operations that are allowed, one JSON object of hash to document; with it no other operation runs.
        allowed_operations: PathBuf = "ANAMNESIS_ALLOWED_OPERATIONS";
        /// Mail server: `smtps://user:password@host` or `smtp://user:password@host:587?tls=required`. In production, mail without it waits.
        smtp_url: Secret = "ANAMNESIS_SMTP_URL";
        /// Folder mail is written to instead of being sent; links in it are secret. By default only in development, below the data folder.
        mail_folder: PathBuf = "ANAMNESIS_MAIL_FOLDER";
        /// Where the web app is, which links in mail lead to; by default `ANAMNESIS_PUBLIC_URL`.
        app_url: String = "ANAMNESIS_APP_URL";
        /// Address and port that serves /metrics to Prometheus, and nothing else; by default 127.0.0.1:9464 in development, none in production.
        metrics_listen: SocketAddr = "ANAMNESIS_METRICS_LISTEN";
        /// OTLP endpoint for traces, such as <http://127.0.0.1:4318/v1/traces>.
        otlp_endpoint: String = "ANAMNESIS_OTLP_ENDPOINT";
        /// A file of these settings, NAME=value a line; the environment wins.
        config_file: PathBuf = "ANAMNESIS_CONFIG";
    }
}

impl Config {
    /// Reads the environment, and the file it names.
    ///
    /// # Errors
    /// [`Faults`] lists everything wrong.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_environment() -> Result<Self, Faults> {
        let mut values = BTreeMap::new();
        if let Ok(path) = std::env::var("ANAMNESIS_CONFIG") {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Faults(vec![format!("  ANAMNESIS_CONFIG: cannot be read: {error}")]))?;
            values = parse_file(&text)?;
        }
        values.extend(std::env::vars().filter(|(name, _)| name == "DATABASE_URL" || name.starts_with("ANAMNESIS_")));
        Self::from_values(&values)
    }

    /// Whether the playground page is served.
    #[must_use]
    pub fn playground_open(&self) -> bool {
        self.playground.unwrap_or(self.environment == Environment::Development)
    }

    /// Whether introspection is answered.
    #[must_use]
    pub fn introspection_open(&self) -> bool {
        self.introspection.unwrap_or(self.environment == Environment::Development)
    }

    /// Where links in mail lead to, without a slash at the end.
    #[must_use]
    pub fn app_url(&self) -> &str {
        self.app_url.as_deref().unwrap_or(&self.public_url).trim_end_matches('/')
    }

    /// Where mail is written to instead of being sent, if anywhere: never in production unless it is said.
    #[must_use]
    pub fn mail_folder(&self) -> Option<PathBuf> {
        match (&self.mail_folder, self.environment) {
            (Some(folder), _) => Some(folder.clone()),
            (None, Environment::Development) => Some(Places::from_environment().data.join("mail")),
            (None, Environment::Production) => None,
        }
    }

    /// Mail: one way out, and not in clear over a network.
    fn check_mail(&self, faults: &mut Vec<String>) {
        let Some(url) = self.smtp_url.as_ref().map(Secret::reveal) else { return };
        if self.mail_folder.is_some() {
            faults.push("  ANAMNESIS_MAIL_FOLDER: mail is either sent or written, not both".to_owned());
        }
        let host = url.strip_prefix("smtp://").map(|rest| rest.rsplit_once('@').map_or(rest, |(_, host)| host));
        let near =
            host.is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].iter().any(|near| host.starts_with(near)));
        if !(url.starts_with("smtps://") || url.starts_with("smtp://")) {
            faults.push("  ANAMNESIS_SMTP_URL: must begin with smtps:// or smtp://".to_owned());
        } else if !(url.starts_with("smtps://") || url.ends_with("tls=required") || near) {
            faults.push("  ANAMNESIS_SMTP_URL: must be smtps:// or end in ?tls=required".to_owned());
        }
    }

    /// Rules between settings and their bounds.
    fn check(&self, faults: &mut Vec<String>) {
        self.check_mail(faults);
        let mut rule = |holds: bool, name: &str, text: &str| {
            if !holds {
                faults.push(format!("  {name}: {text}"));
            }
        };
        rule((1..=15).contains(&self.access_token_minutes), "ANAMNESIS_ACCESS_TOKEN_MINUTES", "must be 1 to 15");
        rule((1..=500).contains(&self.database_pool), "ANAMNESIS_DATABASE_POOL", "must be 1 to 500");
        rule((1..=64).contains(&self.worker_concurrency), "ANAMNESIS_WORKER_CONCURRENCY", "must be 1 to 64");
        rule(self.max_upload_bytes <= 52_428_800, "ANAMNESIS_MAX_UPLOAD_BYTES", "must be at most 52428800");
        rule(self.requests_per_minute > 0, "ANAMNESIS_REQUESTS_PER_MINUTE", "must be at least 1");
        rule(
            self.session_idle_days <= self.session_days,
            "ANAMNESIS_SESSION_IDLE_DAYS",
            "must not be longer than ANAMNESIS_SESSION_DAYS",
        );
        rule(
            self.storage_url.starts_with("file:///") || self.storage_url.starts_with("s3://"),
            "ANAMNESIS_STORAGE_URL",
            "must begin with file:/// or s3://",
        );
        let embedding = [self.embedding_model.is_some(), self.embedding_dimensions.is_some()];
        rule(
            self.embedding_url.is_none() || embedding.iter().all(|given| *given),
            "ANAMNESIS_EMBEDDING_URL",
            "needs ANAMNESIS_EMBEDDING_MODEL and ANAMNESIS_EMBEDDING_DIMENSIONS too",
        );
        rule(
            self.chat_url.is_none() || self.chat_model.is_some(),
            "ANAMNESIS_CHAT_URL",
            "needs ANAMNESIS_CHAT_MODEL too",
        );
        rule(
            self.rerank_url.is_none() || self.rerank_model.is_some(),
            "ANAMNESIS_RERANK_URL",
            "needs ANAMNESIS_RERANK_MODEL too",
        );
        rule(
            self.environment == Environment::Development || !self.cors_origins.0.iter().any(|origin| origin == "*"),
            "ANAMNESIS_CORS_ORIGINS",
            "must name origins in production, not *",
        );
    }
}

/// Languages of recognition, `eng` or `eng+spa`: a closed alphabet, since they go onto a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcrLanguages(pub String);

impl FromStr for OcrLanguages {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if text.split('+').all(known) { Ok(Self(text.to_owned())) } else { Err("must be names like eng, or eng+spa") }
    }
}

/// A program of the search path.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Where this user's files belong.
#[derive(Debug, Clone)]
pub struct Places {
    /// Fetched packages; may be deleted at any time.
    pub cache: CacheDir,
    /// The demo's database, files and keys.
    pub data: PathBuf,
    /// For sockets; absent on some systems.
    pub runtime: Option<PathBuf>,
}

impl Places {
    /// What the settings say, else the folders of the XDG base directory specification.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one file that reads the environment")]
    pub fn from_environment() -> Self {
        let path = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty()).map(PathBuf::from);
        let home = path("HOME").unwrap_or_else(|| PathBuf::from("/"));
        Self {
            cache: path("ANAMNESIS_CACHE_DIR")
                .map_or_else(|| CacheDir::default_for(&home, path("XDG_CACHE_HOME").as_deref()), CacheDir),
            data: path("ANAMNESIS_DATA_DIR")
                .unwrap_or_else(|| embedded::default_data_root(&home, path("XDG_DATA_HOME").as_deref())),
            runtime: path("XDG_RUNTIME_DIR"),
        }
    }
}

/// Reads `NAME=value` lines; `#` begins a comment line.
///
/// # Errors
/// [`Faults`] names the lines that are neither.
pub fn parse_file(text: &str) -> Result<BTreeMap<String, String>, Faults> {
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) => {
                values.insert(name.trim().to_owned(), value.trim().trim_matches('"').to_owned());
            }
            None => faults.push(format!("  line {}: expected NAME=value", index + 1)),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(Faults(faults)) }
}

/// The text of `.env.example`.
#[must_use]
pub fn example() -> String {
    use fmt::Write as _;
    let mut text = String::from("# Every setting, with its default. Settings without one are optional.\n");
    for setting in SETTINGS {
        let _ = writeln!(text, "\n#{}", setting.meaning);
        let _ = match setting.default {
            Some(default) => writeln!(text, "{}={default}", setting.name),
            None => writeln!(text, "# {}=", setting.name),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_are_themselves_valid() {
        let config = Config::from_values(&BTreeMap::new()).unwrap();
        assert_eq!(config.environment, Environment::Production);
        assert!(!config.playground_open() && !config.introspection_open());
    }

    #[test]
    fn every_fault_is_listed_at_once() {
        let faults = Config::from_values(&values(&[
            ("ANAMNESIS_LISTEN", "nowhere"),
            ("ANAMNESIS_ENVIRONMENT", "staging"),
            ("ANAMNESIS_SPELLING", "wrong"),
        ]))
        .unwrap_err();
        assert_eq!(faults.0.len(), 3, "{faults}");
    }

    #[test]
    fn bounds_between_settings_are_checked() {
        let faults =
            Config::from_values(&values(&[("ANAMNESIS_ACCESS_TOKEN_MINUTES", "16"), ("ANAMNESIS_CORS_ORIGINS", "*")]))
                .unwrap_err();
        assert_eq!(faults.0.len(), 2, "{faults}");
    }

    #[test]
    fn mail_goes_one_way_and_not_in_clear() {
        let refused = |pairs: &[(&str, &str)]| Config::from_values(&values(pairs)).unwrap_err().0.len();
        assert_eq!(refused(&[("ANAMNESIS_SMTP_URL", "smtp://u:p@mail.example:587")]), 1);
        assert_eq!(refused(&[("ANAMNESIS_SMTP_URL", "http://mail.example")]), 1);
        assert_eq!(refused(&[("ANAMNESIS_SMTP_URL", "smtps://mail.example"), ("ANAMNESIS_MAIL_FOLDER", "/mail")]), 1);
        for url in ["smtps://u:p@mail.example", "smtp://u:p@mail.example:587?tls=required", "smtp://127.0.0.1:1025"] {
            Config::from_values(&values(&[("ANAMNESIS_SMTP_URL", url)])).unwrap();
        }
    }

    #[test]
    fn production_writes_no_mail_to_a_folder_unless_told() {
        assert_eq!(Config::from_values(&BTreeMap::new()).unwrap().mail_folder(), None);
        let told = Config::from_values(&values(&[("ANAMNESIS_MAIL_FOLDER", "/mail")])).unwrap();
        assert_eq!(told.mail_folder(), Some("/mail".into()));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let config = Config::from_values(&values(&[("DATABASE_URL", "postgres://u:hunter2@db/x")])).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
