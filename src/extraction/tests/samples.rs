//! Files to read, well-formed and hostile, written byte by byte.
//!
//! Each builder writes its format directly and not through the library that reads it, so that a
//! misunderstanding cannot hide on both sides. Included by the unit tests and, by path, by the
//! integration tests, of which neither uses all.

use std::io::{Cursor, Write};

use flate2::write::{DeflateEncoder, ZlibEncoder};
use flate2::{Compress, Compression, Crc, FlushCompress};

const MIB: usize = 1024 * 1024;
const GIB_IN_MIB: usize = 1024;

/// A PDF of the numbered objects, with a right cross-reference table. Object 1 is the catalogue.
pub fn pdf(objects: &[(usize, Vec<u8>)], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let size = objects.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
    let mut offsets = vec![0; size];
    for (number, body) in objects {
        offsets[*number] = out.len();
        writeln!(out, "{number} 0 obj").unwrap();
        out.extend_from_slice(body);
        out.extend_from_slice(b"\nendobj\n");
    }
    let xref = out.len();
    write!(out, "xref\n0 {size}\n0000000000 65535 f \n").unwrap();
    for offset in offsets.iter().skip(1) {
        writeln!(out, "{offset:010} 00000 n ").unwrap();
    }
    let trailer = trailer.replace("{xref}", &xref.to_string());
    write!(out, "trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{xref}\n%%EOF\n").unwrap();
    out
}

/// A stream object.
pub fn stream(data: &[u8], entries: &str) -> Vec<u8> {
    let mut out = format!("<<{entries}/Length {}>>\nstream\n", data.len()).into_bytes();
    out.extend_from_slice(data);
    out.extend_from_slice(b"\nendstream");
    out
}

/// A stream object packed by zlib.
pub fn packed_stream(data: &[u8], entries: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    stream(&encoder.finish().unwrap(), &format!("{entries}/Filter/FlateDecode"))
}

const FONT: &str = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>";

/// The content of a page that shows the lines, in Windows-1252 as the font asks.
fn page_content(text: &str) -> Vec<u8> {
    let mut out = b"BT /F1 12 Tf 14 TL 72 720 Td ".to_vec();
    for line in text.lines() {
        out.push(b'(');
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(line);
        for &byte in bytes.iter() {
            if b"()\\".contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.extend_from_slice(b") Tj T* ");
    }
    out.extend_from_slice(b"ET");
    out
}

/// A PDF with a page for each text; an empty text makes a page that is only a picture.
pub fn pdf_of_pages(texts: &[&str]) -> Vec<u8> {
    let first_page = 4;
    let kids = references((0..texts.len()).map(|index| first_page + 2 * index));
    let mut objects = vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, format!("<</Type/Pages/Kids[{kids}]/Count {}>>", texts.len()).into_bytes()),
        (3, FONT.into()),
    ];
    for (index, text) in texts.iter().enumerate() {
        let number = first_page + 2 * index;
        objects.push((number, page(number + 1, "")));
        let content = if text.is_empty() {
            b"q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q".to_vec()
        } else {
            page_content(text)
        };
        objects.push((number + 1, packed_stream(&content, "")));
    }
    pdf(&objects, "")
}

fn references(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|number| format!("{number} 0 R")).collect::<Vec<_>>().join(" ")
}

fn page(content: usize, entries: &str) -> Vec<u8> {
    format!(
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]\
         /Resources<</Font<</F1 3 0 R>>/XObject<</X 6 0 R>>>>/Contents {content} 0 R{entries}>>"
    )
    .into_bytes()
}

/// A PDF of one page (object 4) whose content is the object given, with further objects from 6 on.
pub fn pdf_of_content(content: Vec<u8>, more: Vec<(usize, Vec<u8>)>, trailer: &str) -> Vec<u8> {
    pdf_of_page("", content, more, trailer)
}

/// As [`pdf_of_content`], with entries for the page's dictionary.
pub fn pdf_of_page(entries: &str, content: Vec<u8>, more: Vec<(usize, Vec<u8>)>, trailer: &str) -> Vec<u8> {
    let mut objects = vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[4 0 R]/Count 1>>".to_vec()),
        (3, FONT.into()),
        (4, page(5, entries)),
        (5, content),
    ];
    objects.extend(more);
    pdf(&objects, trailer)
}

/// Encrypted for a password that nobody knows.
pub fn pdf_encrypted() -> Vec<u8> {
    let key = "5a".repeat(32);
    let encrypt = format!("<</Filter/Standard/V 2/R 3/Length 128/P -4/O<{key}>/U<{key}>>>");
    pdf_of_content(stream(b"\x17\x2a\x99", ""), vec![(6, encrypt.into_bytes())], "/Encrypt 6 0 R/ID[<00><00>]")
}

/// A page tree that leads back to itself without any page.
pub fn pdf_page_tree_loop() -> Vec<u8> {
    let objects = [
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>".to_vec()),
        (3, b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R 2 0 R]/Count 2>>".to_vec()),
    ];
    pdf(&objects, "")
}

/// A small page tree that stands for ten thousand million pages: every node lists the next ten times.
pub fn pdf_endless() -> Vec<u8> {
    let mut objects = vec![(1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec())];
    for number in 2..12 {
        let kids = format!("{} 0 R ", number + 1).repeat(10);
        let node = format!("<</Type/Pages/Count 2000000000/Kids[{kids}]>>");
        objects.push((number, node.into_bytes()));
    }
    objects.push((12, b"<</Type/Page/Parent 11 0 R/MediaBox[0 0 9 9]/Contents 13 0 R>>".to_vec()));
    objects.push((13, stream(b"", "")));
    pdf(&objects, "")
}

/// `count` pages that are all the same content.
pub fn pdf_many_pages(count: usize) -> Vec<u8> {
    let kids = references((0..count).map(|index| 10 + index));
    let mut objects = vec![
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, format!("<</Type/Pages/Kids[{kids}]/Count {count}>>").into_bytes()),
        (3, FONT.into()),
        (5, stream(&page_content("again"), "")),
    ];
    objects.extend((0..count).map(|index| (10 + index, page(5, ""))));
    pdf(&objects, "")
}

/// The cross-reference table names itself as the one before.
pub fn pdf_xref_loop() -> Vec<u8> {
    pdf_of_content(stream(&page_content("found all the same"), ""), Vec::new(), "/Prev {xref}")
}

/// Page content of a gibibyte of blanks.
pub fn pdf_bomb() -> Vec<u8> {
    let mut packed = vec![0x78, 0x9c];
    packed.extend(deflated_run(b' ', GIB_IN_MIB));
    packed.extend_from_slice(&[0; 4]);
    pdf_of_content(stream(&packed, "/Filter/FlateDecode"), Vec::new(), "")
}

/// Ten levels of forms, each drawing the next ten times: ten thousand million drawings.
pub fn pdf_form_doubling() -> Vec<u8> {
    let form = |next: usize, content: &[u8]| {
        let entries = format!(
            "/Type/XObject/Subtype/Form/BBox[0 0 9 9]\
             /Resources<</XObject<</X {next} 0 R>>/Font<</F1 3 0 R>>>>"
        );
        stream(content, &entries)
    };
    let mut forms: Vec<_> = (6..16).map(|number| (number, form(number + 1, &b"/X Do ".repeat(10)))).collect();
    forms.push((16, form(16, b"0 0 1 1 re f")));
    pdf_of_content(stream(b"/X Do", ""), forms, "")
}

/// A form that draws itself, beside some text.
pub fn pdf_form_loop() -> Vec<u8> {
    let form = stream(b"/X Do", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>");
    let mut content = page_content("beside the loop");
    content.extend_from_slice(b" /X Do");
    pdf_of_content(stream(&content, ""), vec![(6, form)], "")
}

/// Arrays in arrays, three million deep, where the parser must look.
pub fn pdf_deep() -> Vec<u8> {
    let mut out = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages ".to_vec();
    out.extend(std::iter::repeat_n(b'[', 3_000_000));
    out.extend_from_slice(b"\nendobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF");
    out
}

/// One small content stream that the page lists a million times.
pub fn pdf_repeated_content() -> Vec<u8> {
    let page = format!(
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>\
         /Contents[{}]>>",
        "5 0 R ".repeat(1_000_000)
    );
    let objects = [
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[4 0 R]/Count 1>>".to_vec()),
        (3, FONT.into()),
        (4, page.into_bytes()),
        (5, stream(&page_content("again and again and again"), "")),
    ];
    pdf(&objects, "")
}

/// A ZIP of the named parts, written by the `zip` crate.
pub fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const CONTENT_TYPES: &[u8] =
    br#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#;

/// A `WordprocessingML` part with the root element and content given.
pub fn word_part(root: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
         <w:{root} xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" \
         xmlns:mc=\"http://schemas.openxmlformats.org/markup-compatibility/2006\">{content}</w:{root}>"
    )
}

/// A DOCX whose body is the XML given.
pub fn docx(body: &str) -> Vec<u8> {
    let document = word_part("document", &format!("<w:body>{body}</w:body>"));
    docx_of_document(document.as_bytes())
}

/// A DOCX whose main part is the bytes given.
pub fn docx_of_document(document: &[u8]) -> Vec<u8> {
    archive(&[("[Content_Types].xml", CONTENT_TYPES), ("word/document.xml", document)])
}

/// A DOCX whose main part unpacks to a gibibyte of zeros; the archive declares the size given.
pub fn docx_bomb(declared: u32) -> Vec<u8> {
    let mut raw = RawArchive::default();
    raw.add("word/document.xml", &deflated_run(0, GIB_IN_MIB), declared);
    raw.finish()
}

/// A DOCX of very many empty entries.
pub fn docx_many_entries(count: usize) -> Vec<u8> {
    let mut raw = RawArchive::default();
    raw.add("word/document.xml", &deflate(word_part("document", "").as_bytes()), 0);
    for number in 0..count {
        raw.add(&format!("word/media/{number}"), &[3, 0], 0);
    }
    raw.finish()
}

/// Entities defined by entities: nine levels of ten.
pub fn docx_entity_expansion() -> Vec<u8> {
    let levels = (1..10).map(|level| {
        let inner = format!("&e{};", level - 1).repeat(10);
        format!("<!ENTITY e{level} \"{inner}\">")
    });
    let document = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY e0 \"lol\">{}]><d><t>&e9;</t></d>",
        levels.collect::<Vec<_>>().concat()
    );
    docx_of_document(document.as_bytes())
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// The DEFLATE stream of `mebibytes` of one byte, made of copies of one packed mebibyte: a full flush
/// ends at a byte and refers to nothing before it.
fn deflated_run(byte: u8, mebibytes: usize) -> Vec<u8> {
    let mut block = Vec::with_capacity(MIB);
    Compress::new(Compression::best(), false).compress_vec(&vec![byte; MIB], &mut block, FlushCompress::Full).unwrap();
    let mut out = block.repeat(mebibytes);
    // An empty last block.
    out.extend_from_slice(&[3, 0]);
    out
}

/// A ZIP written by hand, so that it can lie about its sizes.
#[derive(Default)]
struct RawArchive {
    out: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl RawArchive {
    fn add(&mut self, name: &str, packed: &[u8], declared: u32) {
        let offset = u32::try_from(self.out.len()).unwrap();
        let mut header = Vec::new();
        // Version, flags, method 8 (deflate), time, date.
        for field in [20_u16, 0, 8, 0, 0x21] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        for field in [Crc::new().sum(), u32::try_from(packed.len()).unwrap(), declared] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        header.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        header.extend_from_slice(&[0; 2]);
        self.out.extend_from_slice(b"PK\x03\x04");
        self.out.extend_from_slice(&header);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(packed);
        self.directory.extend_from_slice(b"PK\x01\x02\x14\0");
        self.directory.extend_from_slice(&header);
        // Comment length, disk, attributes.
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&offset.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.entries += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let start = u32::try_from(self.out.len()).unwrap();
        self.out.extend_from_slice(&self.directory);
        self.out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        self.out.extend_from_slice(&self.entries.to_le_bytes());
        self.out.extend_from_slice(&self.entries.to_le_bytes());
        let length = u32::try_from(self.directory.len()).unwrap();
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(&start.to_le_bytes());
        self.out.extend_from_slice(&[0; 2]);
        self.out
    }
}
