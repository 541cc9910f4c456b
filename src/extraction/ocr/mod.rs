//! Text in pictures and scans, recognised by `tesseract` where it is installed.
//!
//! Tesseract, and `pdftoppm` where that is installed to draw the pages of a PDF, are given to a child process of our own
//! first, which limits itself, cuts its network and then becomes the tool ([`run_ocr_child`]). They read standard input
//! and write standard output and no file. Where the kernel does not permit the network to be cut, nothing is recognised:
//! unlike our own readers these tools must be able to open files, so nothing else would keep them from a socket.
//!
//! Without `pdftoppm` the largest picture of a page is taken out of the PDF instead, which does for what scanners write.
//! A page whose picture cannot be read among pages that can is told as damaged, like a damaged page of text.

mod child;
mod tsv;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::process::Command;

use super::parent::{PICTURE_BYTES, converse};
use super::{Extracted, ExtractionError, Extractor, FileKind, Page};

pub use child::{OcrArguments, SUBCOMMAND, run_ocr_child};

/// Pixels of the longer side of a page that is drawn: 300 dots an inch on letter paper.
const DRAWN_PIXELS: u32 = 3300;

/// Longest answer of the tool about one picture, in bytes: a dense page has some 1,000 words of 60 bytes each.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// What recognising one page may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcrLimits {
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in seconds.
    pub cpu_seconds: u64,
    /// Time from the start to the answer.
    pub wall: Duration,
    /// Pages of one file that are recognised; a file with more is refused.
    pub pages: usize,
}

impl Default for OcrLimits {
    fn default() -> Self {
        Self { memory_bytes: 1024 * 1024 * 1024, cpu_seconds: 60, wall: Duration::from_secs(90), pages: 500 }
    }
}

/// Recognises text in pictures.
#[derive(Debug, Clone)]
pub struct Recognizer {
    /// This product's own binary.
    pub program: PathBuf,
    /// The tool that reads.
    pub tesseract: PathBuf,
    /// The tool that draws pages of a PDF, where there is one.
    pub pdftoppm: Option<PathBuf>,
    /// Languages looked for, as tesseract names them: `eng+spa`.
    pub languages: String,
    /// What each page may use.
    pub limits: OcrLimits,
}

impl Recognizer {
    /// The text of a picture; a TIFF may have several pages.
    ///
    /// # Errors
    /// [`ExtractionError::NoText`] when it shows no words; otherwise what the tool made of it.
    pub async fn read_picture(&self, kind: FileKind, content: &[u8]) -> Result<Extracted, ExtractionError> {
        let mut pages = self.recognize(content).await?;
        if pages.len() > self.limits.pages {
            return Err(ExtractionError::TooManyPages);
        }
        if pages.iter().all(|page| page.text.is_empty()) {
            return Err(ExtractionError::NoText);
        }
        if kind != FileKind::Tiff {
            pages.truncate(1);
        }
        for (number, page) in (1..).zip(&mut pages) {
            page.number = Some(number);
        }
        Ok(Extracted { pages, damaged_pages: Vec::new() })
    }

    /// Recognises the pages of a PDF that have no text. `extracted` is what there is; `None` when no page has any.
    ///
    /// # Errors
    /// [`ExtractionError::NoText`] when no page shows words; otherwise why no page could be read.
    pub async fn read_pdf(
        &self,
        extractor: &Extractor,
        content: &[u8],
        extracted: Option<Extracted>,
    ) -> Result<Extracted, ExtractionError> {
        let mut extracted = match extracted {
            Some(extracted) => extracted,
            None => {
                Extracted { pages: blank_pages(extractor.scan(content, 0).await?.pages), damaged_pages: Vec::new() }
            }
        };
        let (mut first_fault, mut read) = (None, 0);
        for page in extracted.pages.iter_mut().filter(|page| page.text.is_empty()) {
            let Some(number) = page.number else { continue };
            read += 1;
            if read > self.limits.pages {
                return Err(ExtractionError::TooManyPages);
            }
            match self.read_page(extractor, content, number).await {
                Ok(found) => (page.text, page.boxes) = (found.text, found.boxes),
                Err(error @ (ExtractionError::Unavailable | ExtractionError::NoOcr)) => return Err(error),
                Err(error) => {
                    first_fault.get_or_insert(error);
                    extracted.damaged_pages.push(number);
                }
            }
        }
        extracted.damaged_pages.sort_unstable();
        extracted.damaged_pages.dedup();
        if extracted.pages.iter().any(|page| !page.text.is_empty()) {
            Ok(extracted)
        } else {
            Err(first_fault.unwrap_or(ExtractionError::NoText))
        }
    }

    async fn read_page(&self, extractor: &Extractor, content: &[u8], number: u32) -> Result<Page, ExtractionError> {
        let picture = match &self.pdftoppm {
            Some(pdftoppm) => self.draw(pdftoppm, content, number).await?,
            None => match extractor.scan(content, number).await?.picture {
                Some(picture) => BASE64.decode(picture).map_err(|_| ExtractionError::Damaged)?,
                // A page without a picture is empty.
                None => return Ok(blank(number)),
            },
        };
        let mut pages = self.recognize(&picture).await?;
        Ok(if pages.is_empty() { blank(number) } else { pages.swap_remove(0) })
    }

    /// One page of a PDF as a picture.
    async fn draw(&self, pdftoppm: &Path, content: &[u8], number: u32) -> Result<Vec<u8>, ExtractionError> {
        let (page, pixels) = (number.to_string(), DRAWN_PIXELS.to_string());
        let arguments = ["-q", "-gray", "-singlefile", "-f", &page, "-l", &page, "-scale-to", &pixels, "-"];
        self.run(pdftoppm, &arguments, content, PICTURE_BYTES).await
    }

    async fn recognize(&self, picture: &[u8]) -> Result<Vec<Page>, ExtractionError> {
        let arguments = ["stdin", "stdout", "-l", &self.languages, "--psm", "3", "tsv"];
        let answer = self.run(&self.tesseract, &arguments, picture, ANSWER_BYTES).await?;
        tsv::pages(&answer)
    }

    /// Asks the tool for its version, as a user of it would be asked: limited and without a network.
    ///
    /// # Errors
    /// [`ExtractionError::NoOcr`] when it cannot be run that way.
    pub async fn version(&self) -> Result<String, ExtractionError> {
        let answer = self.run(&self.tesseract, &["--version"], &[], ANSWER_BYTES).await?;
        let text = String::from_utf8_lossy(&answer);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Runs a tool in a child that has limited itself.
    async fn run(
        &self,
        tool: &Path,
        arguments: &[&str],
        content: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, ExtractionError> {
        let mut child = Command::new(&self.program)
            .args(OcrArguments::command_line(&self.limits))
            .arg(tool)
            .args(arguments)
            .env_clear()
            // One thread: more are forbidden, and pages of other documents are read beside this one.
            .env("OMP_THREAD_LIMIT", "1")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| ExtractionError::Unavailable)?;
        let fed = AtomicBool::new(false);
        let outcome = tokio::time::timeout(self.limits.wall, converse(&mut child, content, most, &fed)).await;
        match outcome {
            Ok(Ok(end)) if end.never_started() => Err(ExtractionError::NoOcr),
            Ok(Ok(end)) if end.said(b"bad_alloc") => Err(ExtractionError::TooMuchMemory),
            Ok(Ok(end)) => match end.answer(ExtractionError::TooLarge) {
                Ok(answer) => Ok(answer.to_vec()),
                // The tool looked at the picture and refused it.
                Err(ExtractionError::Unavailable) => Err(ExtractionError::Damaged),
                Err(error) => Err(error),
            },
            Ok(Err(_)) => Err(ExtractionError::Unavailable),
            Err(_) => {
                let _ = child.kill().await;
                Err(ExtractionError::TookTooLong)
            }
        }
    }
}

fn blank(number: u32) -> Page {
    Page { number: Some(number), text: String::new(), boxes: Vec::new() }
}

fn blank_pages(count: usize) -> Vec<Page> {
    (1..).take(count).map(blank).collect()
}
