//! PDF files.

use super::{ExtractionError, FileKind, Limits, extract, extract_bytes, samples};

fn texts(content: &[u8]) -> Vec<String> {
    let extracted = extract(FileKind::Pdf, content).unwrap();
    assert_eq!(extracted.damaged_pages, Vec::<u32>::new());
    extracted.pages.into_iter().map(|page| page.text).collect()
}

#[test]
fn pages_come_in_order_with_their_numbers() {
    let file = samples::pdf_of_pages(&["First line\nsecond (line)", "", "Größe 1,80 m “ok”"]);
    let extracted = extract(FileKind::Pdf, &file).unwrap();
    let pages: Vec<_> = extracted.pages.iter().map(|page| (page.number, page.text.as_str())).collect();
    let expected = [(Some(1), "First line\nsecond (line)"), (Some(2), ""), (Some(3), "Größe 1,80 m “ok”")];
    assert_eq!(pages, expected);
    assert_eq!(extracted.damaged_pages, Vec::<u32>::new());
}

#[test]
fn pages_without_any_text_look_like_a_scan() {
    let scan = samples::pdf_of_pages(&["", ""]);
    assert_eq!(extract(FileKind::Pdf, &scan), Err(ExtractionError::NoText));
}

#[test]
fn words_stay_apart_at_a_change_of_font_and_close_lines_stay_lines() {
    let content = b"BT /F1 8 Tf 8.5 TL 72 720 Td (see ) Tj /F1 9 Tf (Section 2) Tj T* \
        (next) Tj T* [(ke)20(rned)-400(gap)] TJ ET";
    let file = samples::pdf_of_content(samples::stream(content, ""), Vec::new(), "");
    assert_eq!(texts(&file), ["see Section 2\nnext\nkerned gap"]);
}

#[test]
fn form_fields_and_free_text_notes_are_told_after_the_page() {
    let annotations = "/Annots[7 0 R 8 0 R 9 0 R 10 0 R 12 0 R]";
    let objects = vec![
        (7, b"<</Subtype/Widget/FT/Tx/V(penicillin allergy)>>".to_vec()),
        (8, b"<</Subtype/FreeText/Contents(\xfe\xff\0s\0e\0e\0n\0 \x20\x1c)>>".to_vec()),
        (9, b"<</Subtype/Widget/FT/Btn/V/Yes>>".to_vec()),
        (10, b"<</Subtype/Widget/Parent 11 0 R>>".to_vec()),
        (11, b"<</FT/Tx/V(told once)/Kids[10 0 R 12 0 R]>>".to_vec()),
        (12, b"<</Subtype/Widget/Parent 11 0 R>>".to_vec()),
    ];
    let content = samples::stream(b"BT /F1 9 Tf 72 720 Td (Form) Tj ET", "");
    let file = samples::pdf_of_page(annotations, content, objects, "");
    assert_eq!(texts(&file), ["Form\npenicillin allergy\nseen “\ntold once"]);
}

#[test]
fn a_field_that_is_its_own_parent_is_given_up() {
    let objects = vec![(7, b"<</Subtype/Widget/Parent 7 0 R>>".to_vec())];
    let content = samples::stream(b"BT /F1 9 Tf 72 720 Td (Form) Tj ET", "");
    let file = samples::pdf_of_page("/Annots[7 0 R]", content, objects, "");
    assert_eq!(texts(&file), ["Form"]);
}

#[test]
fn a_password_is_told_as_such() {
    assert_eq!(extract(FileKind::Pdf, &samples::pdf_encrypted()), Err(ExtractionError::Encrypted));
}

#[test]
fn loops_end() {
    let page_tree = samples::pdf_page_tree_loop();
    assert_eq!(extract(FileKind::Pdf, &page_tree), Err(ExtractionError::Damaged));
    assert_eq!(texts(&samples::pdf_xref_loop()), ["found all the same"]);
    assert_eq!(texts(&samples::pdf_form_loop()), ["beside the loop"]);
}

#[test]
fn an_endless_page_tree_ends() {
    // A page counts where it first stands, so the file has one page, and that is empty.
    assert_eq!(extract(FileKind::Pdf, &samples::pdf_endless()), Err(ExtractionError::NoText));
}

#[test]
fn page_and_text_limits_hold_at_n_and_n_plus_one() {
    let file = samples::pdf_of_pages(&["12345", "6789"]);
    let read = |pages, text_bytes| {
        let limits = Limits { text_bytes, pages, ..Limits::default() };
        extract_bytes(FileKind::Pdf, &file, &limits).map(|_| ())
    };
    assert_eq!(read(2, 9), Ok(()));
    assert_eq!(read(1, 9), Err(ExtractionError::TooManyPages));
    assert_eq!(read(2, 8), Err(ExtractionError::TooMuchText));
}

#[test]
fn a_gibibyte_of_content_is_stopped_at_the_limit() {
    let bomb = samples::pdf_bomb();
    assert!(bomb.len() < 2 * 1024 * 1024, "a bomb is small");
    assert_eq!(extract(FileKind::Pdf, &bomb), Err(ExtractionError::TooLarge));
}

#[test]
fn a_damaged_page_is_named_and_the_others_are_read() {
    let mut file = samples::pdf_of_pages(&["first page", "second page"]);
    // The packed content of the second page is the last stream.
    let last = file.windows(7).rposition(|window| window == b"stream\n").unwrap();
    let start = file[..last].windows(7).rposition(|window| window == b"stream\n").unwrap();
    for byte in &mut file[start + 7 + 2..start + 7 + 12] {
        *byte = 0xff;
    }
    let extracted = extract(FileKind::Pdf, &file).unwrap();
    assert_eq!(extracted.damaged_pages, [2]);
    assert_eq!(extracted.pages[0].text, "first page");
}

#[test]
fn a_file_cut_short_is_damaged() {
    let file = samples::pdf_of_pages(&["first page", "second page"]);
    for length in [9, 40] {
        assert_eq!(extract(FileKind::Pdf, &file[..length]), Err(ExtractionError::Damaged));
    }
}
