//! Sound files of the office, mail and clinical formats, for unit and integration tests alike.

use super::samples::archive;

const ODF: &str = "xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
    xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" \
    xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
    xmlns:style=\"urn:oasis:names:tc:opendocument:xmlns:style:1.0\"";

/// An `OpenDocument` text whose body is the XML given.
pub fn odt(body: &str) -> Vec<u8> {
    odt_of(
        &format!(
            "<office:document-content {ODF}><office:body><office:text>{body}</office:text></office:body></office:document-content>"
        ),
        "",
    )
}

/// An `OpenDocument` text of a content part, with a page header and a manifest entry where given.
pub fn odt_of(content: &str, manifest: &str) -> Vec<u8> {
    let styles = format!(
        "<office:document-styles {ODF}><office:master-styles><style:master-page>\
         <style:header><text:p>Page header</text:p></style:header><style:footer><text:p>Page footer</text:p></style:footer>\
         </style:master-page></office:master-styles></office:document-styles>"
    );
    let manifest = format!(
        "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\">\
         <manifest:file-entry manifest:full-path=\"content.xml\">{manifest}</manifest:file-entry></manifest:manifest>"
    );
    archive_stored_first(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", content.as_bytes()),
        ("styles.xml", styles.as_bytes()),
        ("META-INF/manifest.xml", manifest.as_bytes()),
    ])
}

/// A ZIP whose first part is not packed, as the format asks of the part that says what it is.
fn archive_stored_first(parts: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (at, (name, content)) in parts.iter().enumerate() {
        let options = zip::write::SimpleFileOptions::default();
        let method = if at == 0 { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        writer.start_file(*name, options.compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A workbook of one sheet with these rows; style 1 is a day, style 2 a day with a time of its own format.
pub fn xlsx(rows: &str) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let workbook = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">\
         <sheets><sheet name=\"Lab &amp; levels\" sheetId=\"1\" r:id=\"rId7\"/></sheets></workbook>"
    );
    let relations = "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rId7\" Type=\"worksheet\" Target=\"worksheets/sheet3.xml\"/></Relationships>";
    let strings = format!(
        "<sst xmlns=\"{main}\"><si><t>Lithium</t></si><si><r><t>two </t></r><r><t>runs</t></r><rPh><t>no</t></rPh></si></sst>"
    );
    let styles = format!(
        "<styleSheet xmlns=\"{main}\"><numFmts><numFmt numFmtId=\"165\" formatCode=\"yyyy\\-mm\\-dd hh:mm\"/>\
         <numFmt numFmtId=\"166\" formatCode=\"0.0&quot; days&quot;\"/></numFmts>\
         <cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/>\
         <xf numFmtId=\"165\"/><xf numFmtId=\"166\"/></cellXfs></styleSheet>"
    );
    let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
    archive(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
        ("xl/worksheets/sheet3.xml", sheet.as_bytes()),
    ])
}

/// A mail with an attachment.
pub fn mail() -> Vec<u8> {
    "Received: from mx.example by mail.example; Mon, 2 Mar 2026 09:00:00 +0000\r\n\
     From: =?utf-8?q?Ren=C3=A9e_Okafor?= <renee@clinic.example>\r\n\
     To: records@clinic.example\r\n\
     Date: Mon, 2 Mar 2026 08:59:00 +0000\r\n\
     Subject: Discharge\r\n of Monday\r\n\
     MIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=part\r\n\r\n\
     --part\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
     Fl=C3=BCssige Nahrung only.\r\n\
     --part\r\nContent-Type: application/pdf; name=summary.pdf\r\nContent-Disposition: attachment; filename=summary.pdf\r\n\
     Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--part--\r\n"
        .as_bytes()
        .to_vec()
}

/// A clinical document with a table and a list.
pub fn ccda() -> Vec<u8> {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><?xml-stylesheet type=\"text/xsl\" href=\"CDA.xsl\"?>\
     <ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"2.16\" extension=\"doc-9\"/>\
     <title>Continuity of Care</title><effectiveTime value=\"20260301091500+0000\"/>\
     <recordTarget><patientRole><id root=\"1.2\" extension=\"MRN-0042\"/><addr><city>Springfield</city></addr>\
     <patient><name use=\"L\"><given>Ada</given><given>M</given><family>Lovelace</family></name>\
     <administrativeGenderCode code=\"F\" displayName=\"Female\"/><birthTime value=\"19841210\"/></patient></patientRole></recordTarget>\
     <author><assignedAuthor><assignedPerson><name><given>Gregor</given><family>Mendel</family></name></assignedPerson></assignedAuthor></author>\
     <component><structuredBody><component><section><code code=\"10160-0\"/><title>Medications</title>\
     <text><table><thead><tr><th>Drug</th><th>Dose</th></tr></thead><tbody><tr><td>Lithium</td><td><content>300 mg</content><br/>nightly</td></tr></tbody></table></text>\
     <entry><substanceAdministration><code displayName=\"not repeated\"/></substanceAdministration></entry></section></component>\
     <component><section><title>Plan</title><text>Return in <content>two</content> weeks.<list><item>Draw level</item><item>Weigh &amp; measure</item></list></text></section></component>\
     </structuredBody></component></ClinicalDocument>"
        .as_bytes()
        .to_vec()
}

/// A bundle of the resources met most.
pub fn fhir() -> Vec<u8> {
    serde_json::json!({
        "resourceType": "Bundle", "type": "collection",
        "entry": [
            { "fullUrl": "urn:uuid:1", "resource": { "resourceType": "Patient", "id": "p1",
                "identifier": [{ "system": "urn:mrn", "value": "MRN-0042" }],
                "name": [{ "family": "Lovelace", "given": ["Ada", "M"] }], "birthDate": "1984-12-10", "gender": "female" } },
            { "resource": { "resourceType": "Condition", "code": { "coding": [{ "system": "icd", "code": "F31.9", "display": "Bipolar disorder" }] },
                "clinicalStatus": { "text": "active" }, "onsetDateTime": "2019-04-01", "subject": { "reference": "Patient/p1" } } },
            { "resource": { "resourceType": "Observation", "status": "final", "code": { "text": "Blood pressure" },
                "effectiveDateTime": "2026-03-01", "component": [
                    { "code": { "text": "Systolic" }, "valueQuantity": { "value": 128, "unit": "mmHg", "system": "ucum", "code": "mm[Hg]" } },
                    { "code": { "text": "Diastolic" }, "valueQuantity": { "value": 81, "unit": "mmHg" } }] } },
            { "resource": { "resourceType": "MedicationRequest", "intent": "order", "medicationCodeableConcept": { "text": "Lithium carbonate" },
                "dosageInstruction": [{ "text": "300 mg at night" }] } },
            { "resource": { "resourceType": "DocumentReference", "description": "Discharge letter",
                "content": [{ "attachment": { "contentType": "application/pdf", "data": "JVBERi0=", "title": "letter.pdf" } }] } },
            { "resource": { "resourceType": "Composition", "title": "Summary", "section": [
                { "title": "Hospital course", "text": { "status": "generated", "div": "<div><p>Uneventful.</p></div>" } }] } }
        ]
    })
    .to_string()
    .into_bytes()
}
