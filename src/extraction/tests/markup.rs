//! Plain text, HTML and RTF.

use super::{ExtractionError, FileKind, Limits, extract, extract_bytes, text_of};

fn utf16(text: &str, unit: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
}

#[test]
fn text_is_decoded_from_each_encoding() {
    let text = "Müller\n37 °C, 5 µg";
    for bytes in [
        text.as_bytes().to_vec(),
        utf16(text, u16::to_le_bytes),
        utf16(text, u16::to_be_bytes),
        b"M\xfcller\r\n37 \xb0C, 5 \xb5g\r\n".to_vec(),
        format!("\u{feff}{text}").into_bytes(),
    ] {
        assert_eq!(text_of(FileKind::PlainText, &bytes), text);
    }
    assert_eq!(text_of(FileKind::PlainText, b"\x93quoted\x94 \x96 \x80 5"), "“quoted” – € 5");
}

#[test]
fn html_gives_lines_cells_and_alternatives_without_scripts() {
    let html = b"<!doctype html><html><head><title>Letter &amp; more</title>\
        <style>p { color: red }</style><script>if (a < b) { '</p>' }</script></head><body>\
        <h1>Plan</h1>\n<p>Take   <b>one</b>\n tablet<br>daily&nbsp;at 8.</p><!-- hidden -->\
        <table><tr><th>TSH</th><td>2.1</td></tr><tr><td>T4<td>9</table>\
        <template><p>not this</p></template><img alt='a chart' src='http://x.invalid/'>\
        <pre>a\n  b</pre><ul><li>x<li>y</ul>tail</body></html>";
    assert_eq!(
        text_of(FileKind::Html, html),
        "Letter & more\nPlan\nTake one tablet\ndaily at 8.\nTSH\t2.1\nT4\t9\na chart\na\n  b\nx\ny\ntail"
    );
}

#[test]
fn html_is_decoded_as_it_declares() {
    let html = b"<html><meta charset=\"windows-1251\"><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>";
    assert_eq!(text_of(FileKind::Html, html), "Привет");
    let wrong = "<html><meta charset=utf-16><p>größer</p>";
    assert_eq!(text_of(FileKind::Html, wrong.as_bytes()), "größer");
    assert_eq!(text_of(FileKind::Html, b"<p>gr\xf6\xdfer</p>"), "größer");
}

#[test]
fn html_nested_without_end_is_read_in_its_stride() {
    let deep = format!("<html>{}deep", "<div><b>".repeat(500_000));
    assert_eq!(text_of(FileKind::Html, deep.as_bytes()), "deep");
}

#[test]
fn html_text_limit_holds() {
    let html = format!("<p>{}</p>", "word ".repeat(50_000));
    let limits = Limits { text_bytes: 100_000, ..Limits::default() };
    let read = extract_bytes(FileKind::Html, html.as_bytes(), &limits);
    assert_eq!(read, Err(ExtractionError::TooMuchText));
}

#[test]
fn rtf_gives_text_without_its_tables_and_pictures() {
    let rtf = br"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fnil\fcharset204 Times;}}
{\colortbl;\red255\green0\blue0;}{\stylesheet{\s0 Normal;}}{\info{\title Secret title}}
{\*\generator Some Writer 1.0;}\viewkind4\pard\f0\fs24 Caf\'e9 \{5 \'b5g\}\par
\b Bold\b0\tab next\line third \ldblquote q\rdblquote\emdash\~x\_y\par
{\f1\'cf\'f0\'e8}{\pict\pngblip 89504e47}{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}
{\deleted gone}{\header Page head\par}\trowd a\cell b\cell\row
\u8364? \u-10179 ?\u-8704 ?\uc2\u233 xx\uc0\u233 end}";
    assert_eq!(
        text_of(FileKind::Rtf, rtf),
        "Café {5 µg}\nBold\tnext\nthird “q”— x-y\nПриlink\nPage head\na\tb\n€ 😀ééend"
    );
}

#[test]
fn rtf_east_asian_bytes_are_joined_and_binary_data_is_stepped_over() {
    let rtf = b"{\\rtf1\\ansi\\ansicpg932 \\'82\\'a0\\'82\\'a2 {\\pict\\bin5 }}{\\x} ok}";
    assert_eq!(text_of(FileKind::Rtf, rtf), "あい  ok");
}

#[test]
fn rtf_is_read_in_the_default_font_until_another_is_chosen() {
    let rtf = br"{\rtf1\ansi\deff3{\fonttbl{\f3\fcharset238 A;}}\'b3\plain\'b3}";
    assert_eq!(text_of(FileKind::Rtf, rtf), "łł");
}

#[test]
fn rtf_nesting_is_bounded_and_a_cut_file_is_damaged() {
    let nested = |depth: usize| {
        let rtf = format!("{{\\rtf1 {}a{}}}", "{".repeat(depth - 1), "}".repeat(depth - 1));
        extract(FileKind::Rtf, rtf.as_bytes()).map(|_| ())
    };
    assert_eq!(nested(500), Ok(()));
    assert_eq!(nested(501), Err(ExtractionError::TooDeep));
    let endless = format!("{{\\rtf1 {}", "{\\b ".repeat(1_000_000));
    assert_eq!(extract(FileKind::Rtf, endless.as_bytes()), Err(ExtractionError::TooDeep));
    assert_eq!(extract(FileKind::Rtf, b"{\\rtf1 {\\b cut"), Err(ExtractionError::Damaged));
    assert_eq!(text_of(FileKind::Rtf, b"{\\rtf1 last brace missing"), "last brace missing");
}
