//! Word documents.

use super::{ExtractionError, FileKind, Limits, extract, extract_bytes, samples, text_of};

fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

#[test]
fn all_parts_are_read_in_order_and_tables_by_cells() {
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", paragraph(text));
    let table = format!(
        "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}<w:tc>{}{}</w:tc></w:tr></w:tbl>",
        cell("Drug"),
        cell("Dose"),
        cell("Lithium"),
        paragraph("300 mg"),
        paragraph("twice a day"),
    );
    let body = format!("<w:body>{}{table}</w:body>", paragraph("Löwe &amp; S&#xF8;n &lt;5"));
    let part = |root: &str, text: &str| samples::word_part(root, &paragraph(text));
    let file = samples::archive(&[
        ("word/footer1.xml", part("ftr", "footer").as_bytes()),
        ("word/header10.xml", part("hdr", "tenth header").as_bytes()),
        ("word/header2.xml", part("hdr", "second header").as_bytes()),
        ("word/document.xml", samples::word_part("document", &body).as_bytes()),
        ("word/footnotes.xml", part("footnotes", "footnote").as_bytes()),
        ("word/endnotes.xml", part("endnotes", "endnote").as_bytes()),
        ("word/comments.xml", part("comments", "not this").as_bytes()),
        ("word/header-copy.xml", b"not even XML <<<"),
    ]);
    assert_eq!(
        text_of(FileKind::Docx, &file),
        "second header\n\ntenth header\n\nLöwe & Søn <5\nDrug\tDose\nLithium\t300 mg twice a day\n\n\
         footnote\n\nendnote\n\nfooter"
    );
}

#[test]
fn breaks_tabs_and_hyphens_are_kept_and_changes_taken_as_accepted() {
    let file = samples::docx(
        "<w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr>\
         <w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t></w:r>\
         <w:del><w:r><w:delText>old</w:delText><w:t>old</w:t></w:r></w:del>\
         <w:ins><w:r><w:t>new</w:t></w:r></w:ins>\
         <w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>\
         <w:r><w:instrText>PAGE</w:instrText></w:r>\
         <mc:AlternateContent><mc:Choice><w:r><w:t>box</w:t></w:r></mc:Choice>\
         <mc:Fallback><w:r><w:t>box</w:t></w:r></mc:Fallback></mc:AlternateContent></w:p>",
    );
    assert_eq!(text_of(FileKind::Docx, &file), "a\tb\nc-dnewbox");
}

#[test]
fn a_part_in_utf_16_is_read() {
    let document = samples::word_part("document", &paragraph("Zürich"));
    let utf16: Vec<u8> = format!("\u{feff}{document}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(text_of(FileKind::Docx, &samples::docx_of_document(&utf16)), "Zürich");
}

#[test]
fn a_gibibyte_of_zeros_is_stopped_at_the_limit() {
    let honest = samples::docx_bomb(1024 * 1024 * 1024);
    assert!(honest.len() < 2 * 1024 * 1024, "a bomb is small");
    assert_eq!(extract(FileKind::Docx, &honest), Err(ExtractionError::TooLarge));
    let lying = samples::docx_bomb(100);
    assert_eq!(extract(FileKind::Docx, &lying), Err(ExtractionError::Damaged));
}

#[test]
fn unpacked_size_counts_over_all_parts() {
    let header = samples::word_part("hdr", &paragraph(&"long ".repeat(1000)));
    let document = samples::word_part("document", &paragraph("short"));
    let file = samples::archive(&[("word/header1.xml", header.as_bytes()), ("word/document.xml", document.as_bytes())]);
    let read = |unpacked_bytes| {
        let limits = Limits { unpacked_bytes, ..Limits::default() };
        extract_bytes(FileKind::Docx, &file, &limits).map(|_| ())
    };
    let total = header.len() + document.len();
    assert_eq!(read(total), Ok(()));
    assert_eq!(read(total - 1), Err(ExtractionError::TooLarge));
}

#[test]
fn entities_are_never_defined() {
    let bomb = samples::docx_entity_expansion();
    assert_eq!(extract(FileKind::Docx, &bomb), Err(ExtractionError::Damaged));
    let external =
        samples::docx_of_document(b"<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/hostname\">]><d><t>&x;</t></d>");
    assert_eq!(extract(FileKind::Docx, &external), Err(ExtractionError::Damaged));
    let undefined = samples::docx("<w:p><w:r><w:t>&x;</w:t></w:r></w:p>");
    assert_eq!(extract(FileKind::Docx, &undefined), Err(ExtractionError::Damaged));
}

#[test]
fn entries_and_nesting_are_bounded() {
    let crowd = samples::docx_many_entries(10_000);
    assert_eq!(extract(FileKind::Docx, &crowd), Err(ExtractionError::TooLarge));
    // Document and body are two of the 512 elements that may be open.
    let deep = |depth: usize| {
        let body = format!("{}{}{}", "<w:x>".repeat(depth - 2), "<!---->", "</w:x>".repeat(depth - 2));
        extract(FileKind::Docx, &samples::docx(&format!("{body}{}", paragraph("a")))).map(|_| ())
    };
    assert_eq!(deep(512), Ok(()));
    assert_eq!(deep(513), Err(ExtractionError::TooDeep));
}

#[test]
fn a_broken_package_is_damaged_and_a_foreign_one_mismatched() {
    let mut cut = samples::docx(&paragraph("text"));
    cut.truncate(cut.len() / 2);
    assert_eq!(extract(FileKind::Docx, &cut), Err(ExtractionError::Damaged));
    let unclosed = samples::docx_of_document(b"<w:document><w:body><w:p>");
    assert_eq!(extract(FileKind::Docx, &unclosed), Err(ExtractionError::Damaged));
    let other = samples::archive(&[("[Content_Types].xml", b"<Types/>"), ("visio/a.xml", b"<a/>")]);
    assert_eq!(extract(FileKind::Docx, &other), Err(ExtractionError::ContentMismatch));
}

#[test]
fn a_package_with_a_password_on_its_entries_is_encrypted() {
    let mut file = samples::docx(&paragraph("text"));
    // Bit 0 of the flags, in each local header (at 6) and directory entry (at 8).
    let signatures: Vec<usize> =
        (0..file.len() - 4).filter(|&at| matches!(&file[at..at + 4], b"PK\x03\x04" | b"PK\x01\x02")).collect();
    for at in signatures {
        let flags = if file[at + 2] == 3 { at + 6 } else { at + 8 };
        file[flags] |= 1;
    }
    assert_eq!(extract(FileKind::Docx, &file), Err(ExtractionError::Encrypted));
}
