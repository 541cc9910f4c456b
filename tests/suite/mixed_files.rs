//! A thousand files, sound and broken, made from fixed seeds: none ends the reader's parent, each ends in text or in a
//! reason, and no child goes over its memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anamnesis::extraction::{ExtractionError, Extractor, FileKind, Limits, SNIFF_BYTES, sniff};
use futures::StreamExt as _;

use crate::extraction::{samples, samples_formats};

const FILES: usize = 1000;
/// Children under way at once.
const AT_ONCE: usize = 4;

/// Less of everything than in production: a file that needs more shows so sooner. The operating system holds the memory,
/// so what is above cannot have been used.
fn limits() -> Limits {
    Limits { memory_bytes: 256 * 1024 * 1024, cpu_seconds: 2, wall: Duration::from_secs(20), ..Limits::default() }
}

/// The same numbers for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

struct Made {
    what: &'static str,
    kind: FileKind,
    content: Vec<u8>,
}

fn made(what: &'static str, content: Vec<u8>) -> Made {
    Made { what, kind: sniff(&content[..content.len().min(SNIFF_BYTES)]), content }
}

/// One of each format that is read.
fn sound() -> Vec<Vec<u8>> {
    vec![
        samples::pdf_of_pages(&["Lithium level 0.8", "Page two"]),
        samples::pdf_many_pages(20),
        samples::docx("<w:p><w:r><w:t>Lithium level 0.8</w:t></w:r></w:p>"),
        samples_formats::odt("<text:p>Lithium level 0.8</text:p>"),
        samples_formats::xlsx("<row><c t=\"s\"><v>0</v></c><c s=\"1\"><v>46082</v></c></row>"),
        samples_formats::mail(),
        samples_formats::ccda(),
        samples_formats::fhir(),
        b"{\\rtf1\\ansi Lithium level {\\b 0.8}\\par}".to_vec(),
        b"<!doctype html><title>Lithium</title><table><tr><td>0.8</td></tr></table>".to_vec(),
        b"Lithium level 0.8, no tremor.".to_vec(),
        "\u{feff}Spiegel 0,8 \u{2014} kein Tremor".encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ]
}

/// Files built to do harm.
fn hostile() -> Vec<Vec<u8>> {
    let deep_json = format!("{{\"resourceType\":\"X\",\"a\":{}", "[".repeat(3_000_000));
    let wide_row = samples_formats::xlsx(&"<row><c t=\"s\"><v>0</v></c></row>".repeat(200_000));
    let nested_mail = "From: a@x\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n".repeat(20_000);
    vec![
        samples::pdf_encrypted(),
        samples::pdf_page_tree_loop(),
        samples::pdf_endless(),
        samples::pdf_many_pages(10_000),
        samples::pdf_xref_loop(),
        samples::pdf_bomb(),
        samples::pdf_form_loop(),
        samples::pdf_form_doubling(),
        samples::pdf_deep(),
        samples::pdf_repeated_content(),
        samples::docx_bomb(1024 * 1024 * 1024),
        samples::docx_bomb(100),
        samples::docx_many_entries(20_000),
        samples::docx_entity_expansion(),
        samples_formats::odt_of("\u{1}", "<manifest:encryption-data/>"),
        samples_formats::odt(&"<text:s text:c=\"4000000000\"/>".repeat(100_000)),
        samples_formats::odt(&"<text:section>".repeat(200_000)),
        wide_row,
        deep_json.into_bytes(),
        nested_mail.into_bytes(),
        format!("<?xml version=\"1.0\"?>{}", "<a>".repeat(500_000)).into_bytes(),
        "{\\rtf1".repeat(500_000).into_bytes(),
        format!("<html>{}", "<div>".repeat(1_000_000)).into_bytes(),
        vec![0; 1024 * 1024],
    ]
}

fn files() -> Vec<Made> {
    let (sound, mut random) = (sound(), Random(0x5eed_0000_0000_0001));
    let mut files: Vec<Made> = sound.iter().cloned().map(|content| made("sound", content)).collect();
    files.extend(hostile().into_iter().map(|content| made("hostile", content)));
    for content in &sound {
        for _ in 0..22 {
            files.push(made("cut", content[..random.below(content.len())].to_vec()));
        }
        for _ in 0..30 {
            let mut content = content.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(content.len());
                content[at] ^= 1 << random.below(8);
            }
            files.push(made("flipped", content));
        }
        for _ in 0..6 {
            let mut content = content.clone();
            let from = random.below(content.len());
            let to = (from + 1 + random.below(64)).min(content.len());
            content[from..to].fill(0);
            files.push(made("zeroed", content));
        }
        // One kind ahead, another behind; and both ways of taking it.
        for other in sound.iter().filter(|other| *other != content).take(8) {
            files.push(made("polyglot", [content.as_slice(), other].concat()));
        }
        // Called what it is not.
        for kind in [FileKind::Pdf, FileKind::Docx, FileKind::Xlsx, FileKind::Xml, FileKind::Html, FileKind::Mail] {
            files.push(Made { what: "misnamed", kind, content: content.clone() });
        }
    }
    for magic in [
        &b"%PDF-1.7\n"[..],
        b"PK\x03\x04",
        b"{\\rtf1",
        b"<?xml version=\"1.0\"?><a>",
        b"{\"resourceType\":\"",
        b"\xff\xfe",
    ] {
        for _ in 0..8 {
            let length = random.below(4096);
            files.push(made("noise", [magic, &random.bytes(length)].concat()));
        }
    }
    for length in (0..).step_by(97).take(FILES - files.len().min(FILES)) {
        files.push(made("zeros", vec![0; length]));
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_files_end_in_text_or_a_reason() {
    let files = files();
    assert_eq!(files.len(), FILES);
    let extractor = Extractor { program: PathBuf::from(env!("CARGO_BIN_EXE_anamnesis")), limits: limits() };
    let read = files.iter().map(|file| {
        let extractor = &extractor;
        async move { (file, extractor.extract(file.kind, &file.content[..]).await) }
    });
    let ends: Vec<_> = futures::stream::iter(read).buffer_unordered(AT_ONCE).collect().await;
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, end) in &ends {
        let end = match end {
            Ok(_) => "text",
            Err(error) => error.code(),
        };
        *counted.entry(end).or_default() += 1;
        assert_ne!(end, ExtractionError::Unavailable.code(), "{} {}: blamed on us", file.what, file.kind);
        assert!(file.what != "sound" || end == "text", "{} is not read: {end}", file.kind);
        let harmless = matches!(end, "text" | "no_text");
        assert!(
            file.what != "misnamed" || !harmless || sniff(&file.content) == file.kind,
            "{} taken for another",
            file.kind
        );
    }
    // The files are as different as they are meant to be.
    for end in [
        "text",
        "no_text",
        "damaged",
        "encrypted",
        "content_mismatch",
        "too_large",
        "too_deep",
        "too_many_pages",
        "unsupported",
    ] {
        assert!(counted.contains_key(end), "no file ended as {end}: {counted:?}");
    }
    assert!(counted["text"] > 200 && counted["damaged"] > 200, "{counted:?}");
}
