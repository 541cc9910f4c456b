//! Office, mail and clinical formats.

use super::super::{agrees, sniff};
use super::samples_formats::{ccda, fhir, mail, odt, odt_of, xlsx};
use super::{ExtractionError, FileKind, Limits, extract, extract_bytes, samples, text_of};

#[test]
fn each_format_is_known_by_its_bytes_and_agrees_with_its_name() {
    let cases = [
        (odt("<text:p>x</text:p>"), "letter.odt", FileKind::OpenDocument),
        (xlsx(""), "levels.xlsx", FileKind::Xlsx),
        (mail(), "message.eml", FileKind::Mail),
        (ccda(), "ccd.xml", FileKind::Xml),
        (fhir(), "bundle.json", FileKind::Fhir),
    ];
    for (content, name, kind) in cases {
        assert_eq!(sniff(&content), kind, "{name}");
        assert!(agrees(Some(kind.mime()), name, kind), "{name}");
        assert!(!agrees(None, "scan.png", kind), "{name}");
    }
    assert_eq!(sniff(b"<ClinicalDocument xmlns=\"urn:hl7-org:v3\">"), FileKind::Xml);
}

#[test]
fn a_typed_memorandum_is_no_mail_and_other_json_no_resource() {
    assert_eq!(sniff(b"From: Ward 3\nDate: Monday\nSubject: beds\n\nFull."), FileKind::PlainText);
    assert_eq!(sniff(b"Message-ID: <1@x>\n\nno sender"), FileKind::PlainText);
    assert_eq!(sniff(b"From: a@x\nMIME-Version: 1.0\nbroken line\n\nx"), FileKind::PlainText);
    assert_eq!(sniff(b"{\"note\": \"resourceType\"}"), FileKind::PlainText);
}

#[test]
fn an_open_document_gives_headers_paragraphs_and_rows() {
    let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
    let body = format!(
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>\
         <text:h>Intake</text:h><text:p>Sleeps<text:s text:c=\"2\"/>well,\n  mostly.<text:note><text:note-citation>1</text:note-citation>\
         <text:note-body><text:p>by report</text:p></text:note-body></text:note><text:tab/>end<text:line-break/>next</text:p>\
         <office:annotation><text:p>comment</text:p></office:annotation>\
         <table:table><table:table-row>{}{}<table:table-cell table:number-columns-repeated=\"16000\"/></table:table-row>\
         <table:table-row>{}{}</table:table-row></table:table>",
        cell("Drug"),
        cell("Dose"),
        cell("Lithium"),
        cell("300 mg"),
    );
    assert_eq!(
        text_of(FileKind::OpenDocument, &odt(&body)),
        "Page header\n\nIntake\nSleeps  well, mostly. [by report]\tend\nnext\nDrug\tDose\nLithium\t300 mg\n\nPage footer"
    );
}

#[test]
fn an_open_document_with_a_password_is_encrypted() {
    let file = odt_of("\u{1}not xml", "<manifest:encryption-data manifest:checksum=\"x\"/>");
    assert_eq!(extract(FileKind::OpenDocument, &file), Err(ExtractionError::Encrypted));
}

#[test]
fn a_workbook_gives_rows_with_days_as_days() {
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c><c r=\"C1\" s=\"1\"><v>46082</v></c></row>\
         <row r=\"2\"><c r=\"A2\"><v>0.8</v></c><c r=\"B2\" t=\"b\"><v>1</v></c><c r=\"C2\" s=\"2\"><f>NOW()</f><v>46082.5</v></c>\
         <c r=\"D2\" s=\"3\"><v>3</v></c><c r=\"E2\" t=\"inlineStr\"><is><t>in line</t></is></c><c r=\"F2\" s=\"1\"/></row>";
    assert_eq!(
        text_of(FileKind::Xlsx, &xlsx(rows)),
        "Lab & levels\nLithium\ttwo runs\t2026-03-01\n0.8\tTRUE\t2026-03-01 12:00\t3\tin line"
    );
    let nonsense = xlsx("<row><c t=\"s\"><v>99</v></c><c s=\"1\"><v>1e300</v></c><c s=\"77\"><v>5</v></c></row>");
    assert_eq!(text_of(FileKind::Xlsx, &nonsense), "Lab & levels\n\t1e300\t5");
}

#[test]
fn a_mail_gives_headers_body_and_names_of_attachments() {
    assert_eq!(
        text_of(FileKind::Mail, &mail()),
        "From: Renée Okafor <renee@clinic.example>\nTo: records@clinic.example\nDate: 2026-03-02T08:59:00Z\n\
         Subject: Discharge of Monday\n\nFlüssige Nahrung only.\nAttachment: summary.pdf"
    );
    let html = b"From: a@x.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>One<script>no()</script></p><p>two</p>";
    assert_eq!(text_of(FileKind::Mail, html), "From: a@x.example\n\nOne\ntwo");
    let sealed = b"From: a@x.example\r\nMIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMIIB";
    assert_eq!(extract(FileKind::Mail, sealed), Err(ExtractionError::Encrypted));
}

#[test]
fn a_clinical_document_gives_its_header_and_its_sections() {
    assert_eq!(
        text_of(FileKind::Xml, &ccda()),
        "Continuity of Care\nDate: 2026-03-01\nMRN: MRN-0042\nPatient: Ada M Lovelace\nSex: Female\nDate of birth: 1984-12-10\n\
         Author: Gregor Mendel\nMedications\nDrug\tDose\nLithium\t300 mg nightly\n\nPlan\nReturn in two weeks.Draw level\nWeigh & measure"
    );
}

#[test]
fn other_xml_gives_its_text_and_values_line_by_line() {
    let xml = b"<?xml version=\"1.0\"?><Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\"Lovelace\"/></name><note>text\n here</note></Patient>";
    assert_eq!(text_of(FileKind::Xml, xml), "Lovelace\ntext\n here");
}

#[test]
fn a_bundle_gives_a_line_for_each_element() {
    assert_eq!(
        text_of(FileKind::Fhir, &fhir()),
        "Patient\nName: Ada M Lovelace\nBirth date: 1984-12-10\nGender: female\nIdentifier: MRN-0042\n\n\
         Condition\nCode: Bipolar disorder\nClinical status: active\nOnset: 2019-04-01\n\n\
         Observation\nCode: Blood pressure\nStatus: final\nComponent: Systolic: 128 mmHg; Diastolic: 81 mmHg\nEffective: 2026-03-01\n\n\
         Medication request\nMedication: Lithium carbonate\nIntent: order\nDosage instruction: 300 mg at night\n\n\
         Document reference\nDescription: Discharge letter\nContent: letter.pdf, application/pdf\n\n\
         Composition\nHospital course\nUneventful.\nTitle: Summary"
    );
    let narrative = br#"{"resourceType": "Basic", "text": {"div": "<div>Only a narrative.</div>"}}"#;
    assert_eq!(text_of(FileKind::Fhir, narrative), "Basic\nOnly a narrative.");
}

#[test]
fn nesting_and_entities_end_a_reader_and_not_the_process() {
    let deep = format!("{{\"resourceType\": \"X\", \"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(extract(FileKind::Fhir, deep.as_bytes()), Err(ExtractionError::TooDeep));
    let deep = format!("<?xml version=\"1.0\"?>{}", "<a>".repeat(100_000));
    assert_eq!(extract(FileKind::Xml, deep.as_bytes()), Err(ExtractionError::TooDeep));
    let entity = b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><ClinicalDocument>&b;</ClinicalDocument>";
    assert_eq!(extract(FileKind::Xml, entity), Err(ExtractionError::Damaged));
    let sheet = xlsx("<row><c t=\"inlineStr\"><is><t>&b;</t></is></c></row>");
    assert_eq!(extract(FileKind::Xlsx, &sheet), Err(ExtractionError::Damaged));
}

#[test]
fn text_that_cells_multiply_ends_at_the_limit() {
    let rows = "<row><c t=\"s\"><v>0</v></c></row>".repeat(2000);
    let limits = Limits { text_bytes: 4096, ..Limits::default() };
    let read = extract_bytes(FileKind::Xlsx, &xlsx(&rows), &limits);
    assert_eq!(read, Err(ExtractionError::TooMuchText));
}

#[test]
fn a_package_that_lacks_its_main_part_is_mismatched() {
    let file = samples::archive(&[("xl/other.xml", b"<a/>")]);
    assert_eq!(extract(FileKind::Xlsx, &file), Err(ExtractionError::ContentMismatch));
}
