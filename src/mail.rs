//! Mail: over SMTP where a server is configured, into a folder in development, and otherwise not at all.
//!
//! Invariants: a mail names nobody but the one it is sent to and holds no PHI; its secret link is in the mail alone,
//! behind a `#`, so that no server on the way of a click logs it; what a mail server answers may quote an address
//! and is not repeated. A job that is done twice sends the same message id twice.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::{Body, Mailbox, header};
use lettre::transport::smtp;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::app::App;
use crate::config::{Config, Secret};
use crate::ids::{JobId, TypedId as _};
use crate::jobs::Failure;
use crate::phi::Phi;

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// How long a mail server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A mail to be sent: text alone, in one language.
#[derive(Debug)]
pub struct Letter {
    pub to: Phi<String>,
    pub subject: String,
    /// May hold a secret link.
    pub text: Phi<String>,
}

/// Why a mail was not sent. Says nothing of whom it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("ANAMNESIS_SMTP_URL cannot be understood")]
    Settings,
    #[error("no mail server is configured: set ANAMNESIS_SMTP_URL")]
    NotConfigured,
    #[error("the mail server is not reached, does not let us in, or is busy")]
    Unavailable,
    #[error("the mail server does not take mail for this address")]
    Refused,
    #[error("the mail cannot be written to its folder")]
    Folder,
    #[error("the mail cannot be put together")]
    Malformed,
}

impl MailError {
    /// What an operator sees of the job.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Settings | Self::NotConfigured => "MAIL_NOT_CONFIGURED",
            Self::Unavailable => "MAIL_UNAVAILABLE",
            Self::Refused => "MAIL_REFUSED",
            Self::Folder => "MAIL_FOLDER",
            Self::Malformed => "MAIL_MALFORMED",
        }
    }
}

enum Way {
    Smtp(Smtp),
    Folder(PathBuf),
    Nowhere,
}

/// The way out for mail.
pub struct Mailer {
    way: Way,
    from: Mailbox,
    app_url: String,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match &self.way {
            Way::Smtp(_) => "smtp",
            Way::Folder(_) => "folder",
            Way::Nowhere => "nowhere",
        };
        f.debug_struct("Mailer").field("way", &way).finish_non_exhaustive()
    }
}

impl Mailer {
    /// The way the settings name. Connects to nothing yet.
    ///
    /// # Errors
    /// [`MailError::Settings`].
    pub fn of(config: &Config) -> Result<Self, MailError> {
        let way = match &config.smtp_url {
            Some(url) => Way::Smtp(transport(url)?),
            None => config.mail_folder().map_or(Way::Nowhere, Way::Folder),
        };
        Ok(Self { way, from: config.mail_from.clone(), app_url: config.app_url().to_owned() })
    }

    /// The folder mail is written to, where it is not sent.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.way {
            Way::Folder(folder) => Some(folder),
            Way::Smtp(_) | Way::Nowhere => None,
        }
    }

    /// A link into the web app with a secret, which browsers keep to themselves.
    #[must_use]
    pub fn link(&self, page: &str, token: &Phi<String>) -> Phi<String> {
        format!("{}/{page}#token={}", self.app_url, token.reveal()).into()
    }

    /// Whether mail would get out. Sends none.
    ///
    /// # Errors
    /// Why it would not.
    pub async fn check(&self) -> Result<(), MailError> {
        match &self.way {
            Way::Smtp(smtp) => match smtp.test_connection().await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(MailError::Unavailable),
            },
            Way::Folder(folder) => private(folder).await,
            Way::Nowhere => Err(MailError::NotConfigured),
        }
    }

    async fn deliver(&self, job: JobId, letter: &Letter) -> Result<(), MailError> {
        let host = self.from.email.domain();
        let message = Message::builder()
            .message_id(Some(format!("<{}@{host}>", job.uuid())))
            .from(self.from.clone())
            .to(letter.to.reveal().parse().map_err(|_| MailError::Malformed)?)
            .subject(letter.subject.clone())
            .header(header::MIME_VERSION_1_0)
            .header(header::ContentType::TEXT_PLAIN)
            .body(as_it_is(letter.text.reveal()))
            .map_err(|_| MailError::Malformed)?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await.map(drop).map_err(|error| judged(&error)),
            Way::Folder(folder) => {
                private(folder).await?;
                let folder = AsyncFileTransport::<Tokio1Executor>::new(folder);
                folder.send(message).await.map(drop).map_err(|_| MailError::Folder)
            }
            Way::Nowhere => Err(MailError::NotConfigured),
        }
    }
}

/// Longest line that goes as it is; RFC 5322 ends at 998.
const MAX_LINE: usize = 900;

/// The text as it was written where it is plain ASCII: a link then stays in one piece, also in a file.
fn as_it_is(text: &str) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE) {
        let lines = text.replace('\n', "\r\n").into_bytes();
        Body::dangerous_pre_encoded(lines, header::ContentTransferEncoding::SevenBit)
    } else {
        Body::new(text.to_owned())
    }
}

fn transport(url: &Secret) -> Result<Smtp, MailError> {
    let builder = Smtp::from_url(url.reveal()).map_err(|_| MailError::Settings)?;
    Ok(builder.timeout(Some(TIMEOUT)).build())
}

/// Makes the folder, closed to others: what lies in it opens accounts.
async fn private(folder: &Path) -> Result<(), MailError> {
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await.map_err(|_| MailError::Folder)
}

/// 550 to 554 are about this mail; any other refusal, such as of our password, is about us and may be mended.
fn judged(error: &smtp::Error) -> MailError {
    let code = error.status().map_or(0, u16::from);
    if (550..=554).contains(&code) { MailError::Refused } else { MailError::Unavailable }
}

/// Sends the mail of a job.
///
/// # Errors
/// How the job failed.
pub async fn send(app: &App, job: JobId, letter: Letter) -> Result<(), Failure> {
    let sent = app.mailer.deliver(job, &letter).await;
    app.metrics.mail(sent.map_or_else(MailError::code, |()| "SENT"));
    sent.map_err(|error| match error {
        MailError::Refused | MailError::Malformed => Failure::Permanent(error.code()),
        _ => Failure::Transient(error.code()),
    })
}
