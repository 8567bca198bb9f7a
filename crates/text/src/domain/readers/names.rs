//! Checks that each row of a split has a unique name.
//!
//! A row's name identifies its prediction and pairs it with that of another run.
//!
//! - An exact repeat of a row, name included, is dropped and counted: concatenated tables contain rows twice.
//! - Two different rows with one name are an error. Nothing shows which of them is right, and if they are one
//!   question with different answers, each would be scored against half of the answers.
//!
//! Equal texts with different names are two rows; SQuADShifts has some.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;

use crate::domain::parquet::TableError;
use crate::domain::row::Row;

/// The names of the rows read so far, as 64-bit hashes.
#[derive(Default)]
pub(super) struct Names {
    hasher: RandomState,
    rows: HashMap<u64, Seen>,
    /// Every file read so far, with the unit of its positions.
    files: Vec<(String, &'static str)>,
    /// Rows that were dropped.
    pub(super) repeats: usize,
}

/// The row that first had a name.
struct Seen {
    all: u64,
    texts: u64,
    file: usize,
    place: usize,
}

impl Names {
    /// Starts another file, whose positions count rows or lines.
    pub(super) fn begin(&mut self, file: String, unit: &'static str) {
        self.files.push((file, unit));
    }

    /// The rows that are not repeats; `places` has each row's position in the file.
    ///
    /// # Errors
    /// Two different rows have one name.
    pub(super) fn keep_new(
        &mut self,
        rows: Vec<Row>,
        places: impl Iterator<Item = usize>,
    ) -> Result<Vec<Row>, TableError> {
        let mut new = Vec::with_capacity(rows.len());
        for (row, place) in rows.into_iter().zip(places) {
            let seen = Seen {
                all: self.hasher.hash_one(&row),
                texts: self.hasher.hash_one(row.texts()),
                file: self.files.len() - 1,
                place,
            };
            match self.rows.entry(self.hasher.hash_one(row.id())) {
                Entry::Vacant(entry) => {
                    entry.insert(seen);
                    new.push(row);
                }
                Entry::Occupied(first) if first.get().all == seen.all => self.repeats += 1,
                Entry::Occupied(first) => {
                    return Err(repeated(&self.files, row.id(), first.get(), &seen));
                }
            }
        }
        Ok(new)
    }
}

fn repeated(
    files: &[(String, &'static str)],
    name: &str,
    first: &Seen,
    second: &Seen,
) -> TableError {
    let place = |seen: &Seen| format!("{} {}", files[seen.file].1, seen.place);
    let (differs, advice) = if first.texts == second.texts {
        (
            "other answers or another label",
            "keep one of them; several right answers belong in one row",
        )
    } else {
        ("other texts", "give each row another, such as its number")
    };
    TableError::Repeated {
        file: files[second.file].0.clone(),
        place: place(second).into(),
        name: name.to_string(),
        differs,
        advice,
        first: if first.file == second.file {
            place(first).into()
        } else {
            format!("{} of {}", place(first), files[first.file].0).into()
        },
    }
}

/// The report's note on dropped rows, if any.
pub fn note(repeats: usize) -> Option<String> {
    match repeats {
        0 => None,
        1 => Some("1 row left out, since it repeats another exactly, name included".to_string()),
        _ => Some(format!(
            "{repeats} rows left out, since they repeat others exactly, names included"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row::QuestionRow;

    fn row(id: &str, question: &str, answer: &str) -> Row {
        Row::Question(QuestionRow {
            group: None,
            id: id.to_string(),
            context: "C".to_string(),
            question: question.to_string(),
            answers: vec![answer.to_string()],
            answer_start: None,
            facts: Vec::new(),
        })
    }

    fn kept(files: Vec<Vec<Row>>) -> Result<(Vec<String>, usize), String> {
        let mut names = Names::default();
        let mut kept = Vec::new();
        for (at, rows) in files.into_iter().enumerate() {
            names.begin(format!("{at}.parquet"), "row");
            let rows = names
                .keep_new(rows, 0..)
                .map_err(|error| error.to_string())?;
            kept.extend(rows.iter().map(|row| row.id().to_string()));
        }
        Ok((kept, names.repeats))
    }

    #[test]
    fn a_row_that_repeats_another_is_left_out_and_counted() {
        let (a, b) = (|| row("a", "Q", "x"), || row("b", "Q", "x"));
        let files = vec![vec![a(), b(), a()], vec![a(), b()]];
        let names = ["a", "b"].map(str::to_string).to_vec();
        assert_eq!(kept(files), Ok((names, 3)));
        assert_eq!(note(0), None);
        assert!(note(1).is_some_and(|note| note.starts_with("1 row left out")));
        assert!(note(3).is_some_and(|note| note.starts_with("3 rows left out")));
    }

    #[test]
    fn different_rows_with_one_name_are_an_error_with_both_positions() {
        let first = || vec![row("a", "Q", "x"), row("b", "Q", "x")];
        for (files, parts) in [
            (
                vec![[first(), vec![row("a", "R", "x")]].concat()],
                [
                    "0.parquet: row 2: ",
                    "found 'a' again, with other texts than row 0: ",
                ],
            ),
            (
                vec![first(), vec![row("b", "Q", "y")]],
                [
                    "1.parquet: row 0: ",
                    "'b' again, with other answers or another label than row 1 of 0.parquet: keep",
                ],
            ),
        ] {
            let message = kept(files).expect_err(parts[1]);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
