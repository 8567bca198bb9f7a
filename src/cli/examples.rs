//! Reads the examples of one file anywhere as a domain's.

use std::path::Path;

use promptshift_text::domain::card::Card;
use promptshift_text::domain::parquet::TableError;
use promptshift_text::domain::readers::{DataFile, Reader};
use promptshift_text::domain::wording::Wording;
use promptshift_text::domain::{AnswerForm, Example, Split, format};

/// The examples of a file.
pub struct Examples {
    /// In file order.
    pub examples: Vec<Example>,
    /// A note on how rows were chosen.
    pub note: Option<String>,
}

/// Reads at most `limit` rows of a file, parquet or MRQA's lines.
///
/// # Errors
/// It is absent, damaged, not in a layout of the domain's task, or has two different rows with one name.
pub fn read(
    path: &Path,
    card: &Card,
    answers: AnswerForm,
    wording: &Wording,
    limit: Option<usize>,
) -> Result<Examples, TableError> {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut examples = Vec::new();
    let mut reader = Reader::new(card, vec![DataFile::at(path.to_owned())], limit);
    for rows in reader.by_ref() {
        for row in rows?.into_iter().take(left) {
            left -= 1;
            examples.extend(format::examples(card, row, Split::Test, answers, wording));
        }
        if left == 0 {
            break;
        }
    }
    Ok(Examples {
        examples,
        note: {
            let notes = [reader.repeats_note(), reader.unlabelled_note()];
            let notes: Vec<String> = notes.into_iter().flatten().collect();
            (!notes.is_empty()).then(|| notes.join("; "))
        },
    })
}
