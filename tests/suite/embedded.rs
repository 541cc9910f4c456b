//! The embedded PostgreSQL over its whole life: starts, crashes of each of its processes, and what the
//! next start finds. Every test has a cluster of its own; they hold as root and as any other user.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anamnesis::config::Places;
use anamnesis::db::embedded::{Embedded, EmbeddedError, EmbeddedOptions, SUPERUSER};
use anamnesis::provision::{self, PostgresDist};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_anamnesis"))
}

fn dist() -> PostgresDist {
    provision::postgres(&Places::from_environment().cache, &mut provision::StderrReport::default()).unwrap()
}

/// A folder in the cache, which the account that runs the server can reach.
fn folder() -> TempDir {
    let root = Places::from_environment().cache.0.join("tests");
    std::fs::create_dir_all(&root).unwrap();
    tempfile::Builder::new().prefix("embedded-").tempdir_in(root).unwrap()
}

fn options(data_dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions {
        dist: dist(),
        data_dir: data_dir.to_owned(),
        runtime_dir: None,
        guard_program: program(),
        guard_args: vec!["postgres-guard".into()],
        max_connections: 10,
        fsync: false,
        settings: Vec::new(),
    }
}

async fn start(data_dir: &Path) -> Embedded {
    Embedded::start(options(data_dir)).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(options: EmbeddedOptions) -> EmbeddedError {
    Embedded::start(options).await.err().unwrap()
}

/// The answer to a query of one row and one column.
async fn ask(embedded: &Embedded, sql: &str) -> String {
    let url = embedded.url("postgres", SUPERUSER);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

const CLUSTER: &str = "SELECT system_identifier::text FROM pg_control_system()";

fn server_pid(data_dir: &Path) -> String {
    let text = std::fs::read_to_string(data_dir.join("pgdata/postmaster.pid")).unwrap();
    text.lines().next().unwrap().to_owned()
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_survives_a_restart_and_no_other_account_reaches_it() {
    let folder = folder();
    let first = start(folder.path()).await;
    let identifier = ask(&first, CLUSTER).await;
    let socket = std::fs::metadata(first.socket_dir()).unwrap();
    let data = std::fs::metadata(folder.path().join("pgdata")).unwrap();
    assert_eq!(socket.mode() & 0o7777, 0o700);
    assert_eq!(data.mode() & 0o7777, 0o700);
    assert_eq!(socket.uid(), data.uid());
    assert_ne!(data.uid(), 0, "never as root");
    assert_eq!(ask(&first, "SHOW listen_addresses").await, "");
    first.stop().await.unwrap();

    let second = start(folder.path()).await;
    assert_eq!(ask(&second, CLUSTER).await, identifier);
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused() {
    let folder = folder();
    let first = start(folder.path()).await;
    let error = refusal(options(folder.path())).await;
    assert!(matches!(error, EmbeddedError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert_eq!(ask(&first, "SELECT 'still here'").await, "still here");
    first.stop().await.unwrap();
}

/// A child that does not outlive a failing test.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The guard by hand, with its pipe held by a process that can be killed as a parent would be.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_when_its_parent_is_killed_and_for_no_signal() {
    let folder = folder();
    let first = start(folder.path()).await;
    let sockets = format!("unix_socket_directories={}", first.socket_dir().display());
    first.stop().await.unwrap();

    let pgdata = folder.path().canonicalize().unwrap().join("pgdata");
    let meta = std::fs::metadata(&pgdata).unwrap();
    let account = if rustix::process::geteuid().is_root() {
        [meta.uid().to_string(), meta.gid().to_string()]
    } else {
        ["same".to_owned(), "same".to_owned()]
    };
    let (lifeline, held) = std::io::pipe().unwrap();
    let mut parent = Mortal(Command::new("sleep").arg("60").stdout(held).spawn().unwrap());
    let guard = Command::new(program())
        .arg("postgres-guard")
        .arg(folder.path().join("guard.lock"))
        .args(account)
        .arg(dist().bin.join("postgres"))
        .arg("-D")
        .arg(&pgdata)
        .args(["-c", "listen_addresses=", "-c", &sockets])
        .stdin(lifeline)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut guard = Mortal(guard);
    let mut log = BufReader::new(guard.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    log.find(|line| line.contains("ready to accept connections")).unwrap();

    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        kill(guard.0.id(), signal);
    }
    parent.0.kill().unwrap();
    parent.0.wait().unwrap();

    log.find(|line| line.contains("database system is shut down")).unwrap();
    assert!(guard.0.wait().unwrap().success());
    assert!(!pgdata.join("postmaster.pid").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_guard_does_not_block_the_next_start() {
    let folder = folder();
    let mut first = start(folder.path()).await;
    let identifier = ask(&first, CLUSTER).await;
    let orphan = server_pid(folder.path());
    kill(first.guard_id().unwrap(), Signal::KILL);
    let error = first.ended().await;
    assert!(matches!(error, EmbeddedError::NotServing { .. }), "{error}");
    // Without a stop, as after a crash.
    drop(first);

    let second = start(folder.path()).await;
    assert_ne!(server_pid(folder.path()), orphan);
    assert_eq!(ask(&second, CLUSTER).await, identifier);
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_without_a_guard_still_stops_the_server() {
    let folder = folder();
    let mut first = start(folder.path()).await;
    kill(first.guard_id().unwrap(), Signal::KILL);
    first.ended().await;
    first.stop().await.unwrap();
    assert!(!folder.path().join("pgdata/postmaster.pid").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn lock_files_of_a_process_id_that_was_given_out_again_do_not_block() {
    let folder = folder();
    let first = start(folder.path()).await;
    let (pid_file, lock_file) =
        (folder.path().join("pgdata/postmaster.pid"), first.socket_dir().join(".s.PGSQL.5432.lock"));
    let stale = [&pid_file, &lock_file].map(|path| std::fs::read_to_string(path).unwrap());
    let server = server_pid(folder.path());
    first.stop().await.unwrap();
    // As a crash leaves them, with the id of a living process that is no server: this one.
    for (path, text) in [&pid_file, &lock_file].into_iter().zip(stale) {
        std::fs::write(path, text.replacen(&server, &std::process::id().to_string(), 1)).unwrap();
    }

    let second = start(folder.path()).await;
    assert_eq!(ask(&second, "SELECT 'up'").await, "up");
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_major_version_is_refused_and_left_alone() {
    let folder = folder();
    start(folder.path()).await.stop().await.unwrap();
    let version = folder.path().join("pgdata/PG_VERSION");
    std::fs::write(&version, "17\n").unwrap();
    let error = refusal(options(folder.path())).await;
    assert!(matches!(&error, EmbeddedError::OtherMajor { found, wanted: 18, .. } if found == "17"), "{error}");
    assert_eq!(std::fs::read_to_string(&version).unwrap(), "17\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_other_things_in_it_is_refused_and_left_alone() {
    let folder = folder();
    std::fs::write(folder.path().join("letter.txt"), "mine").unwrap();
    let mode = std::fs::metadata(folder.path()).unwrap().mode();
    let error = refusal(options(folder.path())).await;
    assert!(matches!(error, EmbeddedError::NotOurs { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::metadata(folder.path()).unwrap().mode(), mode);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_start_shows_the_end_of_the_log() {
    let folder = folder();
    let mut options = options(folder.path());
    options.settings = vec![("shared_buffers".to_owned(), "not a size".to_owned())];
    let error = refusal(options).await;
    assert!(matches!(error, EmbeddedError::NotServing { .. }), "{error}");
    assert!(error.to_string().contains("shared_buffers"), "{error}");
    // Nothing is left that blocks a start without the fault.
    start(folder.path()).await.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_sessions_never_reach_the_servers_log() {
    let folder = folder();
    let embedded = start(folder.path()).await;
    let url = embedded.url("postgres", SUPERUSER);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let error = client.batch_execute("SELECT 'canary-in-a-column'::uuid").await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("canary-in-a-column"));
    drop(client);
    let log = embedded.log().to_owned();
    embedded.stop().await.unwrap();
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains("database system is shut down"));
    assert!(!text.contains("canary-in-a-column"), "{text}");
}

/// A copy of the server whose vector extension kills the process with an illegal instruction, as the
/// real one does on a processor it was not compiled for.
fn dist_that_dies(into: &Path) -> PostgresDist {
    let whole = dist();
    let root = into.join("dist");
    assert!(Command::new("cp").arg("-a").arg(&whole.root).arg(&root).status().unwrap().success());
    let bin = root.join(whole.bin.strip_prefix(&whole.root).unwrap());
    let extensions = bin.with_file_name("share").join("extension");
    let script = std::fs::read_dir(&extensions)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let version = name.strip_prefix("vector--").and_then(|rest| rest.strip_suffix(".sql"));
            version.is_some_and(|version| !version.contains("--"))
        })
        .unwrap();
    std::fs::write(script, "COPY (SELECT 1) TO PROGRAM 'kill -ILL $PPID';").unwrap();
    PostgresDist { root, bin, identity: "one that dies".to_owned(), ..whole }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_the_server_cannot_run_on_is_told_with_a_way_out() {
    let folder = folder();
    let data_dir: PathBuf = folder.path().join("data");
    // The account that runs the server passes through to both.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let mut options = options(&data_dir);
    options.dist = dist_that_dies(folder.path());
    let error = refusal(options.clone()).await;
    assert!(matches!(error, EmbeddedError::SelfTestCrashed { .. }), "{error}");
    assert!(error.to_string().contains("DATABASE_URL"), "{error}");
    assert!(error.to_string().contains("signal 4"), "{error}");
    assert!(!data_dir.join("pgdata/postmaster.pid").exists(), "nothing is left running");
    // A failure is not remembered as a success.
    let again = refusal(options).await;
    assert!(matches!(again, EmbeddedError::SelfTestCrashed { .. }), "{again}");
}
