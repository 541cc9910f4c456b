//! Sending to people outside: Meta's WhatsApp Business Platform, Cloud API.
//!
//! Not covered by a business associate agreement: whether anything is sent is a facility's decision, and what is sent the
//! caller's. Nothing here logs a text, a number or a token, and of what the provider answers only codes are kept: its
//! messages may quote a number. How it gets there is told in [`crate::endpoint`].

use std::fmt;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::endpoint::{Answer, EndpointError, EndpointSettings, NoAnswer, Service};
use crate::phi::Phi;

/// Longer than the provider takes on a bad day: what is cut off here may have been sent.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER_BYTES: usize = 64 * 1024;
/// Longest text the provider takes, in characters.
pub const MAX_TEXT: usize = 4096;
/// Longest id of a message that is believed to be one.
pub const MAX_WAMID: usize = 300;

/// Codes of the provider: too much, too soon, or it is not well. Nothing was sent.
const LATER: &[i64] = &[1, 2, 4, 80007, 130_429, 131_000, 131_016, 131_048, 131_056];
/// The token, or what it may do.
const CREDENTIALS: &[i64] = &[0, 3, 10, 190, 131_005, 131_031];

/// With what a number sends.
pub struct Credentials {
    /// The number as the provider knows it: digits.
    pub phone_number_id: String,
    pub access_token: Secret,
}

/// Nothing of them stands in a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// A text to be sent.
pub struct Outgoing {
    /// Digits with the country.
    pub to: Phi<String>,
    pub text: Phi<String>,
    /// What the provider says back with everything that becomes of it.
    pub reference: String,
}

/// Why a message was not taken, or is not known to be. Codes alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessengerError {
    /// It was not taken, and may be later.
    #[error("not taken for now ({0})")]
    Later(String),
    /// It was not taken, and will not be.
    #[error("not taken ({0})")]
    Refused(String),
    /// The token is not, or no longer, good for it.
    #[error("the credentials are refused ({0})")]
    Credentials(String),
    /// Nobody knows whether it was taken.
    #[error("it is not known whether it was taken")]
    Unknown,
}

/// A number as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessNumber {
    pub display_phone_number: String,
    pub verified_name: Option<String>,
}

/// A provider that carries messages to people outside.
pub trait Messenger: Send + Sync + fmt::Debug + 'static {
    /// Sends a text once. Gives the id the provider gave it.
    ///
    /// # Errors
    /// Any [`MessengerError`].
    fn send_text<'a>(
        &'a self,
        credentials: &'a Credentials,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<String, MessengerError>>;

    /// Asks for the number itself, which shows whether the credentials are good.
    ///
    /// # Errors
    /// Any [`MessengerError`].
    fn phone_number<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> BoxFuture<'a, Result<BusinessNumber, MessengerError>>;
}

/// The Cloud API.
#[derive(Debug)]
pub struct CloudApi {
    service: Service,
}

impl CloudApi {
    /// Checks the settings; nothing is sent yet. The base URL ends with the version.
    ///
    /// # Errors
    /// [`EndpointError::Settings`].
    pub fn new(base_url: &str) -> Result<Self, EndpointError> {
        let settings =
            EndpointSettings { base_url: base_url.to_owned(), api_key: None, timeout: TIMEOUT, allow_plaintext: false };
        Ok(Self { service: Service::new(settings)? })
    }
}

#[derive(Serialize)]
struct TextMessage<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    to: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    text: Text<'a>,
    biz_opaque_callback_data: &'a str,
}

#[derive(Serialize)]
struct Text<'a> {
    /// A preview has the provider open links of ours.
    preview_url: bool,
    body: &'a str,
}

#[derive(Deserialize)]
struct Taken {
    messages: Vec<TakenMessage>,
}

#[derive(Deserialize)]
struct TakenMessage {
    id: String,
}

#[derive(Deserialize)]
struct Number {
    display_phone_number: String,
    #[serde(default)]
    verified_name: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
}

impl Messenger for CloudApi {
    fn send_text<'a>(
        &'a self,
        credentials: &'a Credentials,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<String, MessengerError>> {
        async move {
            let body = TextMessage {
                messaging_product: "whatsapp",
                recipient_type: "individual",
                to: message.to.reveal(),
                kind: "text",
                text: Text { preview_url: false, body: message.text.reveal() },
                biz_opaque_callback_data: &message.reference,
            };
            let path = format!("{}/messages", credentials.phone_number_id);
            let answer = self.service.call(&path, &credentials.access_token, Some(&body), ANSWER_BYTES).await;
            let body = accepted(answer)?;
            // Taken, as the status says: an answer that is not understood does not make it untaken.
            let taken: Taken = serde_json::from_slice(&body).map_err(|_| MessengerError::Unknown)?;
            let id = taken.messages.into_iter().next().map(|message| message.id);
            id.filter(|id| !id.is_empty() && id.len() <= MAX_WAMID).ok_or(MessengerError::Unknown)
        }
        .boxed()
    }

    fn phone_number<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> BoxFuture<'a, Result<BusinessNumber, MessengerError>> {
        async move {
            let fields = "display_phone_number,verified_name,code_verification_status";
            let path = format!("{}?fields={fields}", credentials.phone_number_id);
            let answer = self.service.call(&path, &credentials.access_token, None::<&()>, ANSWER_BYTES).await;
            let number: Number = serde_json::from_slice(&accepted(answer)?).map_err(|_| MessengerError::Unknown)?;
            Ok(BusinessNumber {
                display_phone_number: number.display_phone_number,
                verified_name: number.verified_name,
            })
        }
        .boxed()
    }
}

/// The body of an answer that says yes, or what its status and code say.
fn accepted(answer: Result<Answer, NoAnswer>) -> Result<Vec<u8>, MessengerError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent) => return Err(MessengerError::Later("not_reached".to_owned())),
        Err(NoAnswer::Unknown) => return Err(MessengerError::Unknown),
    };
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    // The parser's own message may quote the answer.
    let code = serde_json::from_slice::<Failed>(&answer.body).ok().map(|failed| failed.error.code);
    Err(judged(answer.status, code))
}

/// What a refusal means. A gateway that answers for the provider does not know what that did; whoever answers with a code
/// does.
fn judged(status: u16, code: Option<i64>) -> MessengerError {
    let Some(code) = code else {
        let code = format!("http_{status}");
        return match status {
            401 | 403 => MessengerError::Credentials(code),
            429 | 503 => MessengerError::Later(code),
            500.. => MessengerError::Unknown,
            _ => MessengerError::Refused(code),
        };
    };
    let text = code.to_string();
    if CREDENTIALS.contains(&code) || (200..300).contains(&code) || status == 401 {
        MessengerError::Credentials(text)
    } else if LATER.contains(&code) || status == 429 || status >= 500 {
        MessengerError::Later(text)
    } else {
        MessengerError::Refused(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        let later = |code: &str| MessengerError::Later(code.to_owned());
        assert_eq!(judged(429, Some(130_429)), later("130429"));
        assert_eq!(judged(400, Some(131_056)), later("131056"));
        assert_eq!(judged(500, Some(131_000)), later("131000"));
        assert_eq!(judged(503, None), later("http_503"));
        assert_eq!(judged(400, Some(131_047)), MessengerError::Refused("131047".to_owned()));
        assert_eq!(judged(400, Some(131_026)), MessengerError::Refused("131026".to_owned()));
        for (status, code) in [(401, 190), (403, 10), (400, 0), (403, 200)] {
            assert!(matches!(judged(status, Some(code)), MessengerError::Credentials(_)), "{code}");
        }
        assert_eq!(judged(404, None), MessengerError::Refused("http_404".to_owned()));
    }

    #[test]
    fn what_a_gateway_says_is_no_knowledge() {
        assert_eq!(judged(502, None), MessengerError::Unknown);
        assert_eq!(judged(504, None), MessengerError::Unknown);
        assert_eq!(accepted(Err(NoAnswer::Unknown)), Err(MessengerError::Unknown));
        assert_eq!(accepted(Err(NoAnswer::NotSent)), Err(MessengerError::Later("not_reached".to_owned())));
    }

    #[test]
    fn nothing_leaves_in_clear() {
        assert!(CloudApi::new("http://graph.example/v21.0").is_err());
        assert!(CloudApi::new("http://127.0.0.1:1/v21.0").is_ok());
        let secret = Credentials { phone_number_id: "1".to_owned(), access_token: Secret::new("hunter2") };
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
