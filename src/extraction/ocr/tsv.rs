//! Tesseract's table of words, put together to pages of lines with their places.

use std::fmt::Write as _;

use crate::extraction::{ExtractionError, Page, TextBox, tidy};

/// Confidence, in percent, from which a word shows that there is text at all: patterns in a photograph are read with
/// less.
const SURE: f32 = 60.0;
/// Words read with less are more often wrong than right.
const UNSURE: f32 = 15.0;

/// A row of the table (`tesseract … tsv`).
struct Row<'a> {
    level: u32,
    block: &'a str,
    paragraph: &'a str,
    line: &'a str,
    /// Left, top, width and height, in pixels.
    place: [i64; 4],
    confidence: f32,
    text: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(12, '\t');
        let mut next = || fields.next();
        let level = next()?.parse().ok()?;
        next()?;
        let (block, paragraph, line) = (next()?, next()?, next()?);
        next()?;
        let mut pixels = || next()?.parse::<i32>().ok().map(i64::from);
        let place = [pixels()?, pixels()?, pixels()?, pixels()?];
        let confidence = next()?.parse().ok()?;
        Some(Self { level, block, paragraph, line, place, confidence, text: next().unwrap_or_default() })
    }
}

/// A page being put together.
struct Building<'a> {
    page: Page,
    characters: usize,
    /// Width and height in pixels.
    size: (i64, i64),
    last: Option<(&'a str, &'a str, &'a str)>,
    sure: bool,
}

impl<'a> Building<'a> {
    fn new(row: &Row<'_>) -> Self {
        Self {
            page: Page { number: None, text: String::new(), boxes: Vec::new() },
            characters: 0,
            size: (row.place[2].max(1), row.place[3].max(1)),
            last: None,
            sure: false,
        }
    }

    fn word(&mut self, row: &Row<'a>) {
        let word = tidy::tidy(row.text);
        if word.is_empty() || row.confidence < UNSURE {
            return;
        }
        self.sure |= row.confidence >= SURE && word.chars().filter(|letter| letter.is_alphanumeric()).count() >= 2;
        let between = match self.last {
            None => "",
            Some((block, _, _)) if block != row.block => "\n\n",
            Some((_, paragraph, line)) if (paragraph, line) != (row.paragraph, row.line) => "\n",
            Some(_) => " ",
        };
        let same_line = between == " ";
        self.last = Some((row.block, row.paragraph, row.line));
        let _ = write!(self.page.text, "{between}{word}");
        let start_char = self.characters + between.len();
        self.characters = start_char + word.chars().count();
        let [left, top, width, height] = row.place;
        let found = TextBox {
            start_char,
            end_char: self.characters,
            left: portion(left, self.size.0),
            top: portion(top, self.size.1),
            right: portion(left + width, self.size.0),
            bottom: portion(top + height, self.size.1),
        };
        match self.page.boxes.last_mut().filter(|_| same_line) {
            Some(line) => {
                *line = TextBox {
                    start_char: line.start_char,
                    end_char: found.end_char,
                    left: line.left.min(found.left),
                    top: line.top.min(found.top),
                    right: line.right.max(found.right),
                    bottom: line.bottom.max(found.bottom),
                };
            }
            None => self.page.boxes.push(found),
        }
    }

    /// A page on which no word is sure shows none.
    fn finish(self) -> Page {
        if self.sure { self.page } else { Page { number: None, text: String::new(), boxes: Vec::new() } }
    }
}

/// Ten-thousandths.
fn portion(pixels: i64, of: i64) -> i16 {
    i16::try_from((pixels.saturating_mul(10_000) / of).clamp(0, 10_000)).unwrap_or(10_000)
}

/// The pages of the table, in order.
pub(super) fn pages(table: &[u8]) -> Result<Vec<Page>, ExtractionError> {
    const PAGE: u32 = 1;
    const WORD: u32 = 5;
    let table = std::str::from_utf8(table).map_err(|_| ExtractionError::Damaged)?;
    let mut pages = Vec::new();
    let mut building: Option<Building<'_>> = None;
    for row in table.lines().filter_map(Row::parse) {
        if row.level == PAGE {
            pages.extend(building.take().map(Building::finish));
            building = Some(Building::new(&row));
        } else if row.level == WORD
            && let Some(building) = &mut building
        {
            building.word(&row);
        }
    }
    pages.extend(building.map(Building::finish));
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
        1\t1\t0\t0\t0\t0\t0\t0\t1000\t2000\t-1\t\n";

    fn word(block: u32, line: u32, place: [u32; 4], confidence: &str, text: &str) -> String {
        let [left, top, width, height] = place;
        format!("5\t1\t{block}\t1\t{line}\t1\t{left}\t{top}\t{width}\t{height}\t{confidence}\t{text}\n")
    }

    #[test]
    fn words_become_lines_with_the_place_of_each() {
        let table = [
            HEAD.to_owned(),
            word(1, 1, [100, 200, 50, 20], "96.1", "Größe"),
            word(1, 1, [160, 198, 40, 24], "91", "1,80"),
            word(1, 2, [100, 240, 50, 20], "88", "of\u{fb01}ce"),
            word(2, 1, [500, 1000, 250, 20], "90", "end"),
            word(2, 1, [800, 1000, 250, 20], "3", "@~"),
        ];
        let pages = pages(table.concat().as_bytes()).unwrap();
        assert_eq!(pages.len(), 1);
        assert_eq!(pages[0].text, "Größe 1,80\noffice\n\nend");
        let line = |start_char, end_char, [left, top, right, bottom]: [i16; 4]| TextBox {
            start_char,
            end_char,
            left,
            top,
            right,
            bottom,
        };
        assert_eq!(
            pages[0].boxes,
            [
                line(0, 10, [1000, 990, 2000, 1110]),
                line(11, 17, [1000, 1200, 1500, 1300]),
                line(19, 22, [5000, 5000, 7500, 5100]),
            ]
        );
    }

    #[test]
    fn what_is_read_without_any_certainty_is_no_text() {
        let table = [HEAD.to_owned(), word(1, 1, [1, 1, 9, 9], "41", "wWy"), word(1, 2, [1, 1, 9, 9], "95", "|")];
        assert_eq!(pages(table.concat().as_bytes()).unwrap()[0].text, "");
    }

    #[test]
    fn rows_that_are_none_are_passed_over() {
        assert_eq!(pages(b"no table\n5\tx\n").unwrap(), []);
        assert_eq!(pages(b"\xff"), Err(ExtractionError::Damaged));
    }
}
