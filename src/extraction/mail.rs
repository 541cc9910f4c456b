//! Mails (RFC 5322 with MIME) to text.
//!
//! The headers that a reader is shown, then the bodies in their order, a body in HTML only where there is none in plain
//! text; attachments are named and not read: whoever needs one uploads it.

use std::fmt::Write as _;

use mail_parser::{Address, Message, MessageParser, MimeHeaders as _, PartType};

use super::{Extracted, ExtractionError, Limits, html};

/// Bodies and attachments of one mail.
const MAX_PARTS: usize = 1000;

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let message = MessageParser::default().parse(content).ok_or(ExtractionError::Damaged)?;
    if message.parts.len() > MAX_PARTS {
        return Err(ExtractionError::TooLarge);
    }
    if is_encrypted(&message) {
        return Err(ExtractionError::Encrypted);
    }
    let mut text = headers(&message);
    for part in message.text_bodies() {
        text.push('\n');
        match &part.body {
            PartType::Text(body) => text.push_str(body),
            PartType::Html(body) => match html::extract(body.as_bytes(), limits) {
                Ok(extracted) => extracted.pages.iter().for_each(|page| text.push_str(&page.text)),
                Err(ExtractionError::NoText) => {}
                Err(error) => return Err(error),
            },
            _ => {}
        }
        limits.hold_text(&text)?;
    }
    for part in message.attachments() {
        let _ = write!(text, "\nAttachment: {}", part.attachment_name().unwrap_or("without a name"));
    }
    Extracted::unpaged(&text, limits)
}

fn headers(message: &Message<'_>) -> String {
    let mut text = String::new();
    for (label, address) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        if let Some(people) = address.map(people).filter(|people| !people.is_empty()) {
            let _ = writeln!(text, "{label}: {people}");
        }
    }
    if let Some(date) = message.date() {
        let _ = writeln!(text, "Date: {}", date.to_rfc3339());
    }
    if let Some(subject) = message.subject() {
        let _ = writeln!(text, "Subject: {subject}");
    }
    text
}

fn people(address: &Address<'_>) -> String {
    let people = address.iter().map(|person| match (person.name(), person.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    });
    people.filter(|person| !person.is_empty()).collect::<Vec<_>>().join(", ")
}

/// S/MIME and PGP: what there is to read is the ciphertext.
fn is_encrypted(message: &Message<'_>) -> bool {
    message.content_type().is_some_and(|kind| {
        let is = |main: &str, sub: &str| {
            kind.ctype().eq_ignore_ascii_case(main)
                && kind.subtype().is_some_and(|found| found.eq_ignore_ascii_case(sub))
        };
        is("multipart", "encrypted") || is("application", "pkcs7-mime") || is("application", "x-pkcs7-mime")
    })
}
