//! What the server says to PostgreSQL, taken down on the way: a socket of our own that passes everything on. So pgbench
//! can say the very same, and round trips and bytes are counted where they happen.

mod literal;
mod protocol;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::Client;

use crate::Result;
pub use literal::Types;
use protocol::{Dialogue, Sent};

/// The name PostgreSQL's socket has in its folder.
const SOCKET: &str = ".s.PGSQL.5432";
const BUFFER_BYTES: usize = 1 << 16;

/// One request's conversation with the database.
#[derive(Debug, Default, Clone)]
pub struct Recording {
    sent: Vec<Sent>,
    /// Times the server waited for an answer.
    pub round_trips: u64,
    /// To the database and back.
    pub bytes: u64,
}

impl Recording {
    /// How many statements were run, BEGIN and COMMIT among them.
    #[must_use]
    pub fn statements(&self) -> usize {
        self.sent.len()
    }

    /// The same as a script of pgbench, all in one pipeline.
    ///
    /// # Errors
    /// When a parameter is of a type we cannot write down.
    pub fn script(&self, types: &Types) -> Result<String> {
        let mut script = String::from("\\startpipeline\n");
        for sent in &self.sent {
            let statement = match sent {
                Sent::Simple(text) => text.clone(),
                Sent::Prepared { text, parameters } => types.filled_in(text, parameters)?,
            };
            // A statement of pgbench ends at its line's semicolon, and a colon before a word is a variable there.
            script.push_str(&repeatable(&statement.replace('\n', " ")));
            script.push_str(";\n");
        }
        script.push_str("\\endpipeline\n");
        Ok(script)
    }
}

/// Audit rows carry ids of their own, which cannot be written twice.
fn repeatable(statement: &str) -> String {
    const RECORD: &str = "SELECT record_audit(";
    let Some(arguments) = statement.strip_prefix(RECORD).and_then(|rest| rest.strip_suffix(')')) else {
        return statement.to_owned();
    };
    match arguments.split_once(", ") {
        Some((facility, rows)) => format!(
            "{RECORD}{facility}, (SELECT jsonb_agg(r || jsonb_build_object('id', uuidv7())) \
             FROM jsonb_array_elements({rows}) r))"
        ),
        None => statement.to_owned(),
    }
}

/// The socket in between.
pub struct Tap {
    folder: PathBuf,
    taken: Arc<Mutex<Recording>>,
}

impl Tap {
    /// Listens in a folder, and passes on to the socket in another.
    ///
    /// # Errors
    /// When there can be no socket.
    pub fn open(folder: &Path, postgres: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let socket = folder.join(SOCKET);
        if socket.exists() {
            std::fs::remove_file(&socket)?;
        }
        let listener = UnixListener::bind(&socket)?;
        let taken = Arc::new(Mutex::new(Recording::default()));
        let (notes, target) = (Arc::clone(&taken), postgres.join(SOCKET));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if let Ok(far) = UnixStream::connect(&target).await {
                    pass_on(near, far, &notes);
                }
            }
        });
        Ok(Self { folder: folder.to_owned(), taken })
    }

    /// How to connect through it.
    #[must_use]
    pub fn url(&self, direct: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        match direct.split_once("host=") {
            Some((before, _)) => format!("{before}host={host}"),
            None => format!("{direct}?host={host}"),
        }
    }

    /// What was said since the last time.
    #[must_use]
    pub fn take(&self) -> Recording {
        std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn pass_on(near: UnixStream, far: UnixStream, notes: &Arc<Mutex<Recording>>) {
    let dialogue = Arc::new(Mutex::new(Dialogue::default()));
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let (asking, answering) = (Arc::clone(&dialogue), dialogue);
    let (asked, answered) = (Arc::clone(notes), Arc::clone(notes));
    tokio::spawn(async move {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(read @ 1..) = from_near.read(&mut buffer).await {
            {
                let mut notes = asked.lock().unwrap_or_else(PoisonError::into_inner);
                let mut dialogue = asking.lock().unwrap_or_else(PoisonError::into_inner);
                notes.bytes += read as u64;
                notes.round_trips += u64::from(dialogue.asks(&buffer[..read]));
                notes.sent.append(&mut dialogue.sent);
            }
            if to_far.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(read @ 1..) = from_far.read(&mut buffer).await {
            {
                let mut notes = answered.lock().unwrap_or_else(PoisonError::into_inner);
                notes.bytes += read as u64;
                answering.lock().unwrap_or_else(PoisonError::into_inner).answers(&buffer[..read]);
            }
            if to_near.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
}

/// The names of types by number, for parameters of types that extensions bring.
///
/// # Errors
/// When the database refuses.
pub async fn types(client: &Client) -> Result<Types> {
    let rows = client.query("SELECT oid, format_type(oid, NULL) FROM pg_type", &[]).await?;
    Ok(Types::of(rows.iter().map(|row| (row.get::<_, u32>(0), row.get::<_, String>(1))).collect()))
}
