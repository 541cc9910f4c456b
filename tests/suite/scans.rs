//! Pictures of words, drawn here, and recognition of them: with tesseract where it is installed, with a stand-in that
//! answers as tesseract does everywhere.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anamnesis::config::find_program;
use anamnesis::extraction::{ExtractionError, Extractor, FileKind, Limits, OcrLimits, Recognizer, TextBox, sniff};
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::extraction::samples;

/// Capital letters, five dots wide and seven high.
const LETTERS: &[(char, [&str; 7])] = &[
    ('E', ["#####", "#....", "#....", "####.", "#....", "#....", "#####"]),
    ('H', ["#...#", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"]),
    ('I', ["###", ".#.", ".#.", ".#.", ".#.", ".#.", "###"]),
    ('L', ["#....", "#....", "#....", "#....", "#....", "#....", "#####"]),
    ('M', ["#...#", "##.##", "#.#.#", "#.#.#", "#...#", "#...#", "#...#"]),
    ('T', ["#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."]),
    ('U', ["#...#", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."]),
    ('V', ["#...#", "#...#", "#...#", "#...#", ".#.#.", ".#.#.", "..#.."]),
    (' ', ["...", "...", "...", "...", "...", "...", "..."]),
];

/// Pixels of a dot.
const DOT: usize = 6;
const WIDTH: usize = 170 * DOT;

/// Lines of capital letters as grey pixels, a byte each.
fn pixels(lines: &[&str]) -> (usize, Vec<u8>) {
    let height = (lines.len() * 14 + 12) * DOT;
    let mut pixels = vec![255; WIDTH * height];
    for (line, text) in lines.iter().enumerate() {
        let (top, mut left) = ((6 + line * 14) * DOT, 6 * DOT);
        for letter in text.chars() {
            let (_, rows) = LETTERS.iter().find(|(known, _)| *known == letter).unwrap();
            for (y, x) in (0..7 * DOT).flat_map(|y| (0..rows[0].len() * DOT).map(move |x| (y, x))) {
                if rows[y / DOT].as_bytes()[x / DOT] == b'#' {
                    pixels[(top + y) * WIDTH + left + x] = 0;
                }
            }
            left += (rows[0].len() + 2) * DOT;
        }
    }
    (height, pixels)
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A PNG that shows these lines.
pub fn png(lines: &[&str]) -> Vec<u8> {
    let (height, pixels) = pixels(lines);
    // Each row has a byte before it that says how it is filtered: not at all.
    let rows: Vec<u8> = pixels.chunks(WIDTH).flat_map(|row| std::iter::once(&0).chain(row)).copied().collect();
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend_from_slice(&u32::try_from(WIDTH).unwrap().to_be_bytes());
    header.extend_from_slice(&u32::try_from(height).unwrap().to_be_bytes());
    // Eight bits of grey.
    header.extend_from_slice(&[8, 0, 0, 0, 0]);
    for (name, data) in [(b"IHDR", header), (b"IDAT", zlib(&rows)), (b"IEND", Vec::new())] {
        out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        let chunk = [name.as_slice(), &data].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&chunk);
        out.extend_from_slice(&chunk);
        out.extend_from_slice(&sum.sum().to_be_bytes());
    }
    out
}

/// A scan: each page is one picture.
pub fn pdf(pages: &[&[&str]]) -> Vec<u8> {
    let kids: String = (0..pages.len()).map(|index| format!("{} 0 R ", 10 + 3 * index)).collect();
    let mut objects = vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, format!("<</Type/Pages/Kids[{kids}]/Count {}>>", pages.len()).into_bytes()),
    ];
    for (index, lines) in pages.iter().enumerate() {
        let number = 10 + 3 * index;
        let (height, pixels) = pixels(lines);
        let (width, tall) = (WIDTH / 2, height / 2);
        let page = format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {tall}]/Resources<</XObject<</S {} 0 R>>>>/Contents {} 0 R>>",
            number + 1,
            number + 2
        );
        let picture = format!(
            "/Type/XObject/Subtype/Image/Width {WIDTH}/Height {height}/ColorSpace/DeviceGray/BitsPerComponent 8"
        );
        objects.push((number, page.into_bytes()));
        objects.push((number + 1, samples::packed_stream(&pixels, &picture)));
        objects.push((number + 2, samples::stream(format!("q {width} 0 0 {tall} 0 0 cm /S Do Q").as_bytes(), "")));
    }
    samples::pdf(&objects, "")
}

/// A program that answers as tesseract does, whatever it is given: two lines of words.
pub fn stand_in(folder: &Path) -> PathBuf {
    let script = "#!/bin/sh\n\
        printf '1\\t1\\t0\\t0\\t0\\t0\\t0\\t0\\t1000\\t500\\t-1\\t\\n'\n\
        printf '5\\t1\\t1\\t1\\t1\\t1\\t100\\t50\\t200\\t50\\t96\\tLITHIUM\\n'\n\
        printf '5\\t1\\t1\\t1\\t1\\t2\\t350\\t50\\t150\\t50\\t95\\tLEVEL\\n'\n\
        printf '5\\t1\\t1\\t1\\t2\\t1\\t100\\t200\\t100\\t50\\t94\\tHELD\\n'\n";
    program(folder, "tesseract", script)
}

fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn recognizer(tesseract: PathBuf, pdftoppm: Option<PathBuf>) -> Recognizer {
    let limits = OcrLimits::default();
    Recognizer {
        program: env!("CARGO_BIN_EXE_anamnesis").into(),
        tesseract,
        pdftoppm,
        languages: "eng".to_owned(),
        limits,
    }
}

fn extractor() -> Extractor {
    Extractor { program: env!("CARGO_BIN_EXE_anamnesis").into(), limits: Limits::default() }
}

/// With the tool itself where it is there; where not, that is said, and nothing else.
#[tokio::test]
async fn words_in_a_picture_are_read_with_their_places_where_tesseract_is() {
    let content = png(&["LITHIUM LEVEL", "THE HILL"]);
    assert_eq!(sniff(&content), FileKind::Png);
    let Some(tesseract) = find_program("tesseract") else {
        let absent = recognizer("/nonexistent/tesseract".into(), None);
        assert_eq!(absent.read_picture(FileKind::Png, &content).await, Err(ExtractionError::NoOcr));
        return;
    };
    let read = recognizer(tesseract, None).read_picture(FileKind::Png, &content).await.unwrap();
    assert_eq!(read.pages.len(), 1);
    assert_eq!(read.pages[0].text.split_whitespace().collect::<Vec<_>>(), ["LITHIUM", "LEVEL", "THE", "HILL"]);
    // The first line begins six dots from the left of 170.
    let first = read.pages[0].boxes[0];
    assert!((300..400).contains(&first.left), "{first:?}");
    assert!(first.right > 4000 && first.top < first.bottom && first.start_char == 0, "{first:?}");
}

/// Both ways to the picture of a page lead to the words on it.
#[tokio::test]
async fn a_scanned_pdf_is_read_page_by_page_drawn_or_taken_out() {
    let content = pdf(&[&["LITHIUM LEVEL"], &["THE HILL"]]);
    let folder = tempfile::tempdir().unwrap();
    let tesseract = find_program("tesseract");
    let drawn = find_program("pdftoppm");
    let ways = [None, drawn.clone()];
    for pdftoppm in &ways[..if drawn.is_some() { 2 } else { 1 }] {
        let real = tesseract.is_some();
        let tool = tesseract.clone().unwrap_or_else(|| stand_in(folder.path()));
        let read = recognizer(tool, pdftoppm.clone()).read_pdf(&extractor(), &content, None).await.unwrap();
        let pages: Vec<_> = read.pages.iter().map(|page| (page.number, page.text.replace('\n', " "))).collect();
        let expected = if real { ["LITHIUM LEVEL", "THE HILL"] } else { ["LITHIUM LEVEL HELD"; 2] };
        assert_eq!(pages, [(Some(1), expected[0].to_owned()), (Some(2), expected[1].to_owned())]);
        assert_eq!(read.damaged_pages, [0; 0]);
    }
}

#[tokio::test]
async fn pages_with_text_keep_it_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let content = samples::pdf_of_pages(&["typed", ""]);
    let extracted = extractor().extract(FileKind::Pdf, &content[..]).await.unwrap();
    // The second page has no picture worth taking out: it stays empty, and is not damaged.
    let read = recognizer(stand_in(folder.path()), None);
    let read = read.read_pdf(&extractor(), &content, Some(extracted)).await.unwrap();
    let texts: Vec<_> = read.pages.iter().map(|page| &*page.text).collect();
    assert_eq!((texts, read.damaged_pages), (vec!["typed", ""], Vec::new()));
}

#[tokio::test]
async fn the_place_of_each_line_comes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let read = recognizer(stand_in(folder.path()), None).read_picture(FileKind::Png, &png(&["HI"])).await.unwrap();
    assert_eq!(read.pages[0].text, "LITHIUM LEVEL\nHELD");
    let line = |start_char, end_char, [left, top, right, bottom]: [i16; 4]| TextBox {
        start_char,
        end_char,
        left,
        top,
        right,
        bottom,
    };
    let places = [line(0, 13, [1000, 1000, 5000, 2000]), line(14, 18, [1000, 4000, 2000, 5000])];
    assert_eq!(read.pages[0].boxes, places);
}

#[tokio::test]
async fn a_tool_that_fails_hangs_or_is_missing_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let read = |tool: PathBuf, wall: Duration| {
        let mut recognizer = recognizer(tool, None);
        recognizer.limits.wall = wall;
        async move { recognizer.read_picture(FileKind::Png, b"picture").await.unwrap_err() }
    };
    let minute = Duration::from_mins(1);
    assert_eq!(read(folder.path().join("absent"), minute).await, ExtractionError::NoOcr);
    let refuses = program(folder.path(), "refuses", "#!/bin/sh\nexit 1\n");
    assert_eq!(read(refuses, minute).await, ExtractionError::Damaged);
    let silent = program(folder.path(), "silent", "#!/bin/sh\nexit 0\n");
    assert_eq!(read(silent, minute).await, ExtractionError::NoText);
    let hangs = program(folder.path(), "hangs", "#!/bin/sh\nwhile :; do :; done\n");
    assert_eq!(read(hangs, Duration::from_millis(300)).await, ExtractionError::TookTooLong);
}

/// What the tool tries from inside is not permitted, whoever runs it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_tool_has_no_network_and_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(python) = find_program("python3") else {
        // The same by what is everywhere: a shell cannot write.
        let tool = program(folder.path(), "writes", "#!/bin/sh\nprintf x > \"$0.out\" || exit 1\n");
        let refused = recognizer(tool, None).read_picture(FileKind::Png, b"p").await.unwrap_err();
        assert_eq!(refused, ExtractionError::Damaged);
        return;
    };
    let word = |text: &str| {
        format!(
            "print('1\\t1\\t0\\t0\\t0\\t0\\t0\\t0\\t9\\t9\\t-1\\t\\n5\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\t1\\t99\\t{text}')"
        )
    };
    let script = format!(
        "#!{}\nimport socket\ntry:\n    socket.socket()\n    {}\nexcept PermissionError:\n    {}\n",
        python.display(),
        word("REACHED"),
        word("DENIED")
    );
    let tool = program(folder.path(), "socket", &script);
    let read = recognizer(tool, None).read_picture(FileKind::Png, b"picture").await.unwrap();
    assert_eq!(read.pages[0].text, "DENIED");
}
