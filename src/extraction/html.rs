//! HTML to text, from the stream of tokens.
//!
//! No tree is built: depth costs nothing and memory stays in proportion to the file. Scripts, styles
//! and templates are dropped; blocks end lines, table cells are parted by tabs, pictures give their
//! alternative text. Nothing is fetched and no style is applied, so text hidden by CSS is included.

use std::cell::{Cell, RefCell};

use encoding_rs::Encoding;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::{Attribute, TokenizerResult};

use super::{Extracted, ExtractionError, Limits, text};

/// Where a declaration of the encoding is looked for (WHATWG HTML, "prescan a byte stream").
const PRESCAN_BYTES: usize = 1024;

/// How much is given to the tokenizer at once, so that the text limit is noticed early.
const FEED_BYTES: usize = 64 * 1024;

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let decoded = text::decode(content, declared_encoding(content));
    let tokenizer = Tokenizer::new(TextSink::new(), TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut rest: &str = &decoded;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.floor_char_boundary(FEED_BYTES));
        rest = tail;
        input.push_back(StrTendril::from_slice(head));
        // The sink asks for no scripts; one encountered all the same is stepped over.
        while !matches!(tokenizer.feed(&input), TokenizerResult::Done) {}
        // Twice, because tidying may still shrink the text to the limit.
        if tokenizer.sink.text.borrow().len() > limits.text_bytes.saturating_mul(2) {
            return Err(ExtractionError::TooMuchText);
        }
    }
    tokenizer.end();
    Extracted::unpaged(&tokenizer.sink.text.into_inner(), limits)
}

/// The encoding named by `charset=` in the first bytes, as `<meta charset>`, as `http-equiv`, or in an
/// XML declaration.
fn declared_encoding(content: &[u8]) -> Option<&'static Encoding> {
    let head = content.get(..PRESCAN_BYTES).unwrap_or(content).to_ascii_lowercase();
    let after = |key: &[u8]| {
        let at = head.windows(key.len()).position(|window| window == key)?;
        let value = head.get(at + key.len()..)?.trim_ascii_start();
        let value = value.strip_prefix(b"=")?.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let end = value.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-_:".contains(byte)))?;
        Encoding::for_label(value.get(..end)?)
    };
    let named = after(b"charset").or_else(|| after(b"encoding"))?;
    // Bytes in which an ASCII declaration could be read are not UTF-16, whatever it says.
    Some(if named == encoding_rs::UTF_16LE || named == encoding_rs::UTF_16BE { encoding_rs::UTF_8 } else { named })
}

/// Collects the text. The tokenizer calls it by shared reference, hence the cells.
struct TextSink {
    text: RefCell<String>,
    /// How many `<template>` are open: their content is not part of the page.
    templates: Cell<usize>,
    /// How many `<pre>` are open: white space counts there.
    preformatted: Cell<usize>,
    /// Inside the raw text of a script or style.
    dropped: Cell<bool>,
}

impl TextSink {
    fn new() -> Self {
        Self {
            text: RefCell::new(String::new()),
            templates: Cell::new(0),
            preformatted: Cell::new(0),
            dropped: Cell::new(false),
        }
    }

    fn characters(&self, characters: &str) {
        if self.dropped.get() || self.templates.get() > 0 {
            return;
        }
        let mut text = self.text.borrow_mut();
        if self.preformatted.get() > 0 {
            text.push_str(characters);
            return;
        }
        for character in characters.chars() {
            // U+00A0 is not collapsed: it is there to be seen.
            if !matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                text.push(character);
            } else if !text.ends_with([' ', '\t', '\n']) {
                text.push(' ');
            }
        }
    }

    fn separate(&self, separator: char) {
        if self.dropped.get() || self.templates.get() > 0 {
            return;
        }
        let mut text = self.text.borrow_mut();
        let end = text.trim_end_matches(' ').len();
        text.truncate(end);
        // Blocks inside blocks end the same line only once.
        let ended = separator == '\n' && text.ends_with('\n');
        if !text.is_empty() && !ended {
            text.push(separator);
        }
    }

    fn start(&self, tag: &Tag) -> TokenSinkResult<()> {
        match &*tag.name {
            "script" | "style" | "noembed" | "noframes" | "iframe" | "xmp" => {
                self.dropped.set(true);
                return TokenSinkResult::RawData(if &*tag.name == "script" {
                    RawKind::ScriptData
                } else {
                    RawKind::Rawtext
                });
            }
            "title" | "textarea" => {
                self.separate('\n');
                return TokenSinkResult::RawData(RawKind::Rcdata);
            }
            "template" => self.templates.set(self.templates.get().saturating_add(1)),
            "pre" => {
                self.separate('\n');
                self.preformatted.set(self.preformatted.get().saturating_add(1));
            }
            "br" => self.separate('\n'),
            // At the start, since the end tag may be left out; a row's first cell needs none.
            "td" | "th" if !self.text.borrow().ends_with('\n') => self.separate('\t'),
            "img" | "area" => {
                if let Some(alternative) = attribute(&tag.attrs, "alt") {
                    self.characters(" ");
                    self.characters(alternative);
                    self.characters(" ");
                }
            }
            name if is_block(name) => self.separate('\n'),
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn end(&self, name: &str) {
        match name {
            "script" | "style" | "noembed" | "noframes" | "iframe" | "xmp" => {
                self.dropped.set(false);
            }
            "template" => self.templates.set(self.templates.get().saturating_sub(1)),
            "pre" => {
                self.preformatted.set(self.preformatted.get().saturating_sub(1));
                self.separate('\n');
            }
            "title" | "textarea" => self.separate('\n'),
            name if is_block(name) => self.separate('\n'),
            _ => {}
        }
    }
}

impl TokenSink for TextSink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(characters) => self.characters(&characters),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return self.start(&tag),
            Token::TagToken(tag) => self.end(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|held| &*held.name.local == name).map(|held| &*held.value)
}

/// Elements that stand on lines of their own by the default style sheet of HTML.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "head"
            | "header"
            | "hgroup"
            | "hr"
            | "legend"
            | "li"
            | "main"
            | "nav"
            | "ol"
            | "optgroup"
            | "option"
            | "p"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "tr"
            | "ul"
    )
}
