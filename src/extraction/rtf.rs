//! Rich Text Format to text.
//!
//! Reads groups, control words, escaped bytes in the code page of the current font, and Unicode
//! escapes, by the RTF specification 1.9.1. Destinations that hold no text of the document (fonts,
//! styles, pictures, embedded objects, field instructions, deleted revisions) are skipped; headers,
//! footers and footnotes are kept as lines where they stand. The open groups are a list, not
//! recursion. Not done: the DOS code pages (read as Windows-1252) and the Symbol font.

use encoding_rs::{Encoding, WINDOWS_1252};

use super::{Extracted, ExtractionError, Limits};

/// Word nests some twenty groups deep; this leaves room for any real writer.
const MAX_DEPTH: usize = 500;

/// Fonts beyond this many are read in the document's code page.
const MAX_FONTS: usize = 4096;

pub(super) fn extract(content: &[u8], limits: &Limits) -> Result<Extracted, ExtractionError> {
    let mut reader = Reader::new(content, limits);
    reader.run()?;
    Extracted::unpaged(&reader.text, limits)
}

/// What a group inherits from the one around it and gives up at its end.
#[derive(Clone, Copy)]
struct Group {
    /// The text of the group is not part of the document.
    skipped: bool,
    /// Inside the font table.
    font_table: bool,
    /// The code page of escaped bytes.
    encoding: &'static Encoding,
    /// How many characters after a Unicode escape stand in for it (`\ucN`).
    fallback: usize,
}

struct Reader<'a> {
    content: &'a [u8],
    at: usize,
    limits: &'a Limits,
    group: Group,
    outer: Vec<Group>,
    document_encoding: &'static Encoding,
    default_font: Option<i32>,
    fonts: Vec<(i32, &'static Encoding)>,
    defined_font: i32,
    /// Characters still to be passed over after a Unicode escape.
    pass_over: usize,
    /// Escaped bytes not decoded yet: a character of an East Asian code page has two.
    bytes: Vec<u8>,
    /// The first half of a surrogate pair.
    high_surrogate: Option<u16>,
    text: String,
}

impl<'a> Reader<'a> {
    fn new(content: &'a [u8], limits: &'a Limits) -> Self {
        let group = Group { skipped: false, font_table: false, encoding: WINDOWS_1252, fallback: 1 };
        Self {
            content,
            at: 0,
            limits,
            group,
            outer: Vec::new(),
            document_encoding: WINDOWS_1252,
            default_font: None,
            fonts: Vec::new(),
            defined_font: 0,
            pass_over: 0,
            bytes: Vec::new(),
            high_surrogate: None,
            text: String::new(),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.content.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn peek(&self) -> Option<u8> {
        self.content.get(self.at).copied()
    }

    fn run(&mut self) -> Result<(), ExtractionError> {
        while let Some(byte) = self.next() {
            match byte {
                b'{' => self.open()?,
                b'}' => {
                    if !self.close() {
                        // What follows the last brace (often a NUL) is not part of the document.
                        break;
                    }
                }
                b'\\' => self.control(),
                b'\r' | b'\n' => {}
                _ => self.byte(byte),
            }
            // Twice, because tidying may still shrink the text to the limit.
            if self.text.len() > self.limits.text_bytes.saturating_mul(2) {
                return Err(ExtractionError::TooMuchText);
            }
        }
        self.flush();
        // Some writers forget the very last brace; more than that is a file cut short.
        if self.outer.len() > 1 { Err(ExtractionError::Damaged) } else { Ok(()) }
    }

    fn open(&mut self) -> Result<(), ExtractionError> {
        self.flush();
        if self.outer.len() >= MAX_DEPTH {
            return Err(ExtractionError::TooDeep);
        }
        self.outer.push(self.group);
        self.pass_over = 0;
        Ok(())
    }

    /// Ends a group; `false` when it was the outermost.
    fn close(&mut self) -> bool {
        self.flush();
        self.pass_over = 0;
        if let Some(group) = self.outer.pop() {
            let end_of_fonts = self.group.font_table && !group.font_table;
            self.group = group;
            if end_of_fonts {
                self.use_font(self.default_font);
            }
        }
        !self.outer.is_empty()
    }

    fn control(&mut self) {
        match self.next() {
            Some(b'\'') => {
                let digits = [self.next(), self.next()];
                if let [Some(high), Some(low)] = digits.map(|digit| digit.and_then(hex)) {
                    self.byte(high << 4 | low);
                }
            }
            Some(b'*') => self.optional_destination(),
            Some(letter) if letter.is_ascii_alphabetic() => self.word(),
            Some(b'~') => self.character(' '),
            Some(b'_') => self.character('-'),
            Some(b'\r' | b'\n') => self.character('\n'),
            Some(b'\t') => self.character('\t'),
            Some(symbol @ (b'\\' | b'{' | b'}')) => self.byte(symbol),
            // Optional hyphens, index marks and what later versions may add: nothing to show.
            Some(_) | None => {}
        }
    }

    /// `\*` marks a destination that a reader who does not know it must skip. None of them holds text
    /// of the document, but for the shapes' text.
    fn optional_destination(&mut self) {
        let rest = self.content.get(self.at..).unwrap_or_default();
        let rest = rest.trim_ascii_start();
        if !rest.starts_with(b"\\shpinst") {
            self.skip_group();
        }
    }

    fn skip_group(&mut self) {
        self.flush();
        self.group.skipped = true;
    }

    /// A control word: letters, then perhaps a number, then perhaps a space that belongs to it.
    fn word(&mut self) {
        let start = self.at - 1;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let name = self.content.get(start..self.at).unwrap_or_default();
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let mut number: Option<i32> = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.at += 1;
            let value = number.unwrap_or(0).saturating_mul(10);
            number = Some(value.saturating_add(i32::from(digit - b'0')));
        }
        if self.peek() == Some(b' ') {
            self.at += 1;
        }
        self.apply(name, number.map(|value| if negative { -value } else { value }));
    }

    fn apply(&mut self, name: &[u8], number: Option<i32>) {
        match name {
            b"u" => self.unicode(number.unwrap_or(0)),
            b"uc" => self.group.fallback = usize::try_from(number.unwrap_or(1)).unwrap_or(0),
            b"bin" => {
                self.flush();
                let length = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
                self.at = self.at.saturating_add(length).min(self.content.len());
            }
            b"par" | b"line" | b"sect" | b"page" | b"column" | b"row" | b"nestrow" => {
                self.character('\n');
            }
            b"tab" | b"cell" | b"nestcell" => self.character('\t'),
            b"emspace" | b"enspace" | b"qmspace" => self.character(' '),
            b"emdash" => self.character('—'),
            b"endash" => self.character('–'),
            b"bullet" => self.character('•'),
            b"lquote" => self.character('‘'),
            b"rquote" => self.character('’'),
            b"ldblquote" => self.character('“'),
            b"rdblquote" => self.character('”'),
            b"ansicpg" => self.set_document_encoding(code_page(number.unwrap_or(0))),
            b"mac" => self.set_document_encoding(Some(encoding_rs::MACINTOSH)),
            b"deff" => self.default_font = number,
            b"f" if self.group.font_table => self.defined_font = number.unwrap_or(0),
            b"f" => self.use_font(number.or(self.default_font)),
            b"plain" => self.use_font(self.default_font),
            b"fcharset" if self.group.font_table && self.fonts.len() < MAX_FONTS => {
                if let Some(encoding) = charset(number.unwrap_or(0)) {
                    self.fonts.push((self.defined_font, encoding));
                }
            }
            b"fonttbl" => {
                self.skip_group();
                self.group.font_table = true;
            }
            b"header" | b"headerl" | b"headerr" | b"headerf" | b"footer" | b"footerl" | b"footerr" | b"footerf"
            | b"footnote" => self.character('\n'),
            b"colortbl" | b"stylesheet" | b"info" | b"pict" | b"objdata" | b"fldinst" | b"deleted" | b"filetbl"
            | b"listtable" | b"revtbl" | b"themedata" | b"datastore" | b"nonshppict" | b"xe" | b"tc" | b"txe"
            | b"rxe" | b"bkmkstart" | b"bkmkend" | b"sn" | b"sp"
                if !(name == b"deleted" && number == Some(0)) =>
            {
                self.skip_group();
            }
            _ => {}
        }
    }

    fn set_document_encoding(&mut self, encoding: Option<&'static Encoding>) {
        if let Some(encoding) = encoding {
            self.flush();
            self.document_encoding = encoding;
            self.group.encoding = encoding;
        }
    }

    fn use_font(&mut self, font: Option<i32>) {
        self.flush();
        // The last definition counts, as it does for Word.
        let defined = self.fonts.iter().rev().find(|(number, _)| Some(*number) == font);
        self.group.encoding = defined.map_or(self.document_encoding, |(_, encoding)| encoding);
    }

    fn unicode(&mut self, number: i32) {
        self.flush_bytes();
        self.pass_over = self.group.fallback;
        if self.group.skipped {
            return;
        }
        // Written as a signed 16-bit number; some writers leave out the sign.
        let unit = u16::try_from(number & 0xffff).unwrap_or(0);
        let units = self.high_surrogate.take().into_iter().chain([unit]);
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok(character) => self.text.push(character),
                Err(error) if (0xd800..0xdc00).contains(&error.unpaired_surrogate()) => {
                    self.high_surrogate = Some(error.unpaired_surrogate());
                }
                Err(_) => self.text.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }

    /// A byte of text, plain or escaped.
    fn byte(&mut self, byte: u8) {
        if self.pass_over > 0 {
            self.pass_over -= 1;
        } else if !self.group.skipped {
            self.high_surrogate = None;
            self.bytes.push(byte);
        }
    }

    /// A character that a control word or symbol stands for.
    fn character(&mut self, character: char) {
        if self.pass_over > 0 {
            self.pass_over -= 1;
        } else {
            self.flush();
            if !self.group.skipped {
                self.text.push(character);
            }
        }
    }

    fn flush(&mut self) {
        self.flush_bytes();
        self.high_surrogate = None;
    }

    fn flush_bytes(&mut self) {
        if !self.bytes.is_empty() {
            let (text, _) = self.group.encoding.decode_without_bom_handling(&self.bytes);
            self.text.push_str(&text);
            self.bytes.clear();
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The encoding of a Windows code page number.
fn code_page(number: i32) -> Option<&'static Encoding> {
    Some(match number {
        874 => encoding_rs::WINDOWS_874,
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1252 => WINDOWS_1252,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        10000 => encoding_rs::MACINTOSH,
        65001 => encoding_rs::UTF_8,
        _ => return None,
    })
}

/// The encoding of a font's character set (`\fcharsetN`); `None` for the document's own.
fn charset(number: i32) -> Option<&'static Encoding> {
    code_page(match number {
        0 => 1252,
        77 => 10000,
        128 => 932,
        129 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}
