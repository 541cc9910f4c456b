//! The kinds of file the product tells apart.
//!
//! A kind is a statement about bytes. It carries the MIME type the file is served with, so it is a
//! closed set: what is not known here is [`FileKind::Other`] and is served as opaque bytes.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident, $name:literal, $mime:literal;)+) => {
        /// What a file is, judged by its bytes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FileKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl FileKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The MIME type of the kind, without parameters.
            #[must_use]
            pub const fn mime(self) -> &'static str {
                match self { $(Self::$variant => $mime,)+ }
            }

            /// The stable short name, as taken by [`FromStr`].
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    /// Text without markup.
    PlainText, "text", "text/plain";
    /// HTML or XHTML.
    Html, "html", "text/html";
    /// Rich Text Format.
    Rtf, "rtf", "application/rtf";
    /// A mail with its headers.
    Mail, "mail", "message/rfc822";
    /// A FHIR resource, or a bundle of them, in JSON.
    Fhir, "fhir", "application/fhir+json";
    /// XML that is not XHTML, such as a clinical document (CDA).
    Xml, "xml", "application/xml";
    /// Portable Document Format.
    Pdf, "pdf", "application/pdf";
    /// Word, since 2007.
    Docx, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    /// Excel, since 2007.
    Xlsx, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    /// `PowerPoint`, since 2007.
    Pptx, "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation";
    /// An `OpenDocument` file (text, sheet or slides).
    OpenDocument, "opendocument", "application/vnd.oasis.opendocument.text";
    /// Office up to 2003, and newer Office files protected by a password.
    OfficeBinary, "office-binary", "application/x-ole-storage";
    /// Another ZIP archive.
    Zip, "zip", "application/zip";
    /// PNG picture.
    Png, "png", "image/png";
    /// JPEG picture.
    Jpeg, "jpeg", "image/jpeg";
    /// TIFF picture, often a fax.
    Tiff, "tiff", "image/tiff";
    /// GIF picture.
    Gif, "gif", "image/gif";
    /// Windows bitmap.
    Bmp, "bmp", "image/bmp";
    /// WebP picture.
    Webp, "webp", "image/webp";
    /// HEIC picture, as phones take them.
    Heic, "heic", "image/heic";
    /// A DICOM object.
    Dicom, "dicom", "application/dicom";
    /// None of the above, or too little to tell.
    Other, "other", "application/octet-stream";
}

impl FileKind {
    /// Whether the text of this kind can be extracted.
    #[must_use]
    pub const fn has_reader(self) -> bool {
        matches!(
            self,
            Self::PlainText
                | Self::Html
                | Self::Rtf
                | Self::Mail
                | Self::Fhir
                | Self::Xml
                | Self::Pdf
                | Self::Docx
                | Self::Xlsx
                | Self::OpenDocument
        )
    }
}

impl FileKind {
    /// Whether it is a picture in which text can be recognised.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::Tiff)
    }

    /// Whether its text may stand in pictures alone.
    #[must_use]
    pub const fn may_be_scan(self) -> bool {
        self.is_picture() || matches!(self, Self::Pdf)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The name given is none of [`FileKind::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a kind of file")]
pub struct UnknownKind;

impl FromStr for FileKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}
