//! A socket between server and database that passes everything on, and counts how often the server waited.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// The name PostgreSQL's socket has in its folder.
const SOCKET: &str = ".s.PGSQL.5432";
const BUFFER: usize = 1 << 16;

pub struct Relay {
    folder: tempfile::TempDir,
    direct: String,
    round_trips: Arc<AtomicU64>,
}

impl Relay {
    /// Listens, and passes on to where the address leads.
    pub fn open(direct: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = PathBuf::from(host(direct).replace("%2F", "/")).join(SOCKET);
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let round_trips = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&round_trips);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                pass_on(near, UnixStream::connect(&target).await.unwrap(), Arc::clone(&counted));
            }
        });
        Self { folder, direct: direct.to_owned(), round_trips }
    }

    /// How to connect through it.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        self.direct.replace(host(&self.direct), &folder)
    }

    /// Times the server has waited for an answer since it was asked last.
    pub fn take_round_trips(&self) -> u64 {
        self.round_trips.swap(0, Ordering::SeqCst)
    }
}

fn host(url: &str) -> &str {
    let (_, after) = url.split_once("host=").expect("the database is reached by a socket");
    after.split('&').next().unwrap()
}

fn pass_on(near: UnixStream, far: UnixStream, round_trips: Arc<AtomicU64>) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let answered = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&answered);
    tokio::spawn(async move {
        let mut buffer = vec![0; BUFFER];
        while let Ok(read @ 1..) = from_near.read(&mut buffer).await {
            if answered.swap(false, Ordering::SeqCst) {
                round_trips.fetch_add(1, Ordering::SeqCst);
            }
            if to_far.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; BUFFER];
        while let Ok(read @ 1..) = from_far.read(&mut buffer).await {
            answers.store(true, Ordering::SeqCst);
            if to_near.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
}
