//! Virus scanning by clamd's own protocol (`INSTREAM`), over TCP or a Unix socket, where one is configured.
//!
//! A file is streamed past the scanner and kept nowhere on the way. No answer is not a good answer: whatever goes wrong is
//! an error, and the caller neither reads nor serves a file it has no verdict on.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// Time to be let in.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest silence while the file is taken and while it is judged.
const PATIENCE: Duration = Duration::from_mins(1);
/// What is sent at once; clamd takes chunks of any size below its limit for the whole.
const CHUNK_BYTES: usize = 128 * 1024;
/// Longest answer: a path and the name of what was found.
const ANSWER_BYTES: u64 = 4096;

/// Where the scanner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannerAddress {
    Tcp(String),
    Unix(PathBuf),
}

impl FromStr for ScannerAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |address: &str| address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        match (text.strip_prefix("tcp://"), text.strip_prefix("unix://")) {
            (Some(address), _) if port(address) => Ok(Self::Tcp(address.to_owned())),
            (_, Some(path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            _ => Err("must be tcp://host:port or unix:///path"),
        }
    }
}

/// What the scanner says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Infected,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("the virus scanner cannot be reached")]
    Unreachable(#[source] std::io::Error),
    #[error("the virus scanner did not answer in time")]
    TooSlow,
    #[error("the virus scanner refused the file: it may be larger than its StreamMaxLength")]
    Refused,
    #[error("the virus scanner gave an answer that is none")]
    Nonsense,
    #[error("the file could not be read")]
    Content,
}

/// A virus scanner.
#[derive(Debug, Clone)]
pub struct Scanner {
    address: ScannerAddress,
}

impl Scanner {
    #[must_use]
    pub const fn new(address: ScannerAddress) -> Self {
        Self { address }
    }

    /// Has a file scanned.
    ///
    /// # Errors
    /// [`ScanError`]: nothing is known of the file then.
    pub async fn scan<E>(
        &self,
        content: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<Verdict, ScanError> {
        match &self.address {
            ScannerAddress::Tcp(address) => talk(within(CONNECT, TcpStream::connect(address)).await?, content).await,
            ScannerAddress::Unix(path) => talk(within(CONNECT, UnixStream::connect(path)).await?, content).await,
        }
    }

    /// Whether the scanner answers.
    ///
    /// # Errors
    /// [`ScanError`].
    pub async fn check(&self) -> Result<(), ScanError> {
        let nothing = futures::stream::empty::<Result<Bytes, std::convert::Infallible>>();
        self.scan(nothing).await.map(|_| ())
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = std::io::Result<T>>) -> Result<T, ScanError> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done.map_err(ScanError::Unreachable),
        Err(_) => Err(ScanError::TooSlow),
    }
}

/// `zINSTREAM\0`, then each piece with its length before it, then a length of zero; the answer ends with a zero byte.
async fn talk<S, E>(
    mut socket: S,
    mut content: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> Result<Verdict, ScanError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    within(PATIENCE, socket.write_all(b"zINSTREAM\0")).await?;
    'sending: while let Some(piece) = content.next().await {
        let piece = piece.map_err(|_| ScanError::Content)?;
        for chunk in piece.chunks(CHUNK_BYTES) {
            let length = u32::try_from(chunk.len()).map_err(|_| ScanError::Content)?.to_be_bytes();
            let sent = within(PATIENCE, async {
                socket.write_all(&length).await?;
                socket.write_all(chunk).await
            });
            match sent.await {
                Ok(()) => {}
                // It has heard enough and says why.
                Err(ScanError::Unreachable(_)) => break 'sending,
                Err(error) => return Err(error),
            }
        }
    }
    // A scanner that has hung up already has answered.
    let _ = within(PATIENCE, socket.write_all(&[0; 4])).await;
    let mut answer = Vec::new();
    within(PATIENCE, (&mut socket).take(ANSWER_BYTES).read_to_end(&mut answer)).await?;
    verdict(&answer)
}

fn verdict(answer: &[u8]) -> Result<Verdict, ScanError> {
    let answer = String::from_utf8_lossy(answer);
    let answer = answer.trim_end_matches(['\0', '\n']);
    match () {
        () if answer == "stream: OK" => Ok(Verdict::Clean),
        () if answer.starts_with("stream: ") && answer.ends_with(" FOUND") => Ok(Verdict::Infected),
        () if answer.ends_with("ERROR") => Err(ScanError::Refused),
        () => Err(ScanError::Nonsense),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_answers_that_are_known_are_verdicts() {
        assert_eq!(verdict(b"stream: OK\0").unwrap(), Verdict::Clean);
        assert_eq!(verdict(b"stream: Eicar-Test-Signature FOUND\0").unwrap(), Verdict::Infected);
        assert!(matches!(verdict(b"INSTREAM size limit exceeded. ERROR\0"), Err(ScanError::Refused)));
        for nonsense in [&b""[..], b"OK", b"stream: OK but", b"PONG\0", b"FOUND"] {
            assert!(matches!(verdict(nonsense), Err(ScanError::Nonsense)));
        }
    }

    #[test]
    fn an_address_is_a_port_or_a_path() {
        assert_eq!("tcp://av.example:3310".parse(), Ok(ScannerAddress::Tcp("av.example:3310".to_owned())));
        assert_eq!("unix:///run/clamd".parse(), Ok(ScannerAddress::Unix("/run/clamd".into())));
        for wrong in ["av:3310", "tcp://av", "unix://relative", "tcp://av:port"] {
            assert!(wrong.parse::<ScannerAddress>().is_err(), "{wrong}");
        }
    }
}
