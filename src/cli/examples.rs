//! The examples of one file, wherever it lies, read as a domain's.

use std::path::Path;

use promptshift_text::domain::card::Card;
use promptshift_text::domain::parquet::{TableError, TableFile};
use promptshift_text::domain::reader::{DataFile, Reader};
use promptshift_text::domain::wording::Wording;
use promptshift_text::domain::{AnswerForm, Example, Split, template};

/// Reads a file, parquet or MRQA's gzipped lines, at most `limit` rows of it.
///
/// # Errors
/// It is absent, damaged, or not in a layout of the domain's task.
pub fn read(
    path: &Path,
    card: &Card,
    answers: AnswerForm,
    wording: &Wording,
    limit: Option<usize>,
) -> Result<Vec<Example>, TableError> {
    let file = match path.extension() {
        Some(extension) if extension == "gz" => DataFile::Lines(path.to_owned()),
        _ => DataFile::Table(TableFile::Disk(path.to_owned())),
    };
    let mut left = limit.unwrap_or(usize::MAX);
    let mut examples = Vec::new();
    for rows in Reader::new(card, vec![file], limit) {
        for row in rows?.into_iter().take(left) {
            left -= 1;
            examples.extend(template::examples(card, row, Split::Test, answers, wording));
        }
        if left == 0 {
            break;
        }
    }
    Ok(examples)
}
