//! GLUE's sentence pairs on the Hub (`nyu-mll/glue`): two texts whose columns the card names,
//! `label`, an integer, and optionally `idx`.

use super::card::Card;
use super::parquet::{Batch, Table, TableError};
use super::row::{PairRow, Row};

const LABEL: &str = "label";
const INDEX: &str = "idx";

/// How GLUE marks a row whose label is kept secret.
const UNLABELLED: i64 = -1;

/// The columns to read from a file.
pub fn columns<'a>(card: &'a Card, table: &Table) -> Vec<&'a str> {
    let index = table.has(INDEX).then_some(INDEX);
    text_columns(card)
        .into_iter()
        .chain([LABEL])
        .chain(index)
        .collect()
}

/// The rows of a batch. A row is called by its `idx`, or else by its place in the file.
pub fn rows(card: &Card, batch: &Batch) -> Result<Vec<Row>, TableError> {
    let [first, second] = text_columns(card);
    let (firsts, seconds) = (batch.texts(first)?, batch.texts(second)?);
    let labels = batch.integers(LABEL)?;
    let indices = if batch.has(INDEX) {
        batch.integers(INDEX)?
    } else {
        vec![None; labels.len()]
    };
    firsts
        .into_iter()
        .zip(seconds)
        .zip(labels.into_iter().zip(indices))
        .enumerate()
        .map(|(row, ((first, second), (label, index)))| {
            let place = batch.first_row() + row;
            let label = label.ok_or_else(|| batch.null(LABEL, "an integer", row))?;
            Ok(Row::Pair(PairRow {
                id: index.map_or_else(|| place.to_string(), |index| index.to_string()),
                texts: [first, second],
                label: class(card, batch, place, label)?,
            }))
        })
        .collect()
}

/// A label as a class index of the card.
fn class(card: &Card, batch: &Batch, row: usize, label: i64) -> Result<usize, TableError> {
    let (file, column) = (batch.file().to_string(), LABEL.to_string());
    if label == UNLABELLED {
        return Err(TableError::Unlabelled { file, column, row });
    }
    let classes = card.labels.len();
    match usize::try_from(label) {
        Ok(class) if class < classes => Ok(class),
        _ => Err(TableError::LabelRange {
            file,
            column,
            row,
            classes,
            found: label,
        }),
    }
}

fn text_columns(card: &Card) -> [&str; 2] {
    card.texts
        .as_ref()
        .expect("a card of pairs names its two texts")
        .each_ref()
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, read, texts, write};
    use arrow::array::{ArrayRef, Int32Array, Int64Array};
    use std::sync::Arc;

    fn pairs(labels: ArrayRef, index: Option<ArrayRef>) -> Result<Vec<PairRow>, String> {
        let card = card("mrpc");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut file = vec![
            ("sentence1", texts(&["a", "b", "c", "d"])),
            ("sentence2", texts(&["A", "B", "C", "D"])),
            ("label", labels),
        ];
        let mut columns = text_columns(&card).to_vec();
        columns.push(LABEL);
        if let Some(index) = index {
            file.push((INDEX, index));
            columns.push(INDEX);
        }
        let path = write(&folder.path().join("a.parquet"), file);
        let found = read(&path, &columns, |batch| rows(&card, batch));
        Ok(found
            .map_err(|error| error.to_string())?
            .into_iter()
            .filter_map(|row| match row {
                Row::Pair(row) => Some(row),
                Row::Question(_) => None,
            })
            .collect())
    }

    fn long(labels: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(labels.to_vec()))
    }

    #[test]
    fn pairs_are_called_by_index_or_place() {
        let labels = [0, 1, 1, 0];
        let named = pairs(
            Arc::new(Int32Array::from(labels.to_vec())),
            Some(Arc::new(Int32Array::from(vec![7, 9, 8, 5]))),
        )
        .expect("a whole file");
        let found: Vec<(&str, usize)> = named.iter().map(|r| (r.id.as_str(), r.label)).collect();
        assert_eq!(found, [("7", 0), ("9", 1), ("8", 1), ("5", 0)]);
        assert_eq!(named[2].texts, ["c", "C"]);
        let unnamed =
            pairs(long(&labels.map(|label| Some(i64::from(label)))), None).expect("a whole file");
        assert_eq!(unnamed[3].id, "3");
    }

    #[test]
    fn labels_that_are_none_are_named_by_row() {
        for (labels, part) in [
            (
                [Some(0), Some(1), Some(0), Some(-1)],
                "column 'label', row 3: wanted a label, found -1, which is how GLUE marks",
            ),
            (
                [Some(0), Some(2), Some(0), Some(1)],
                "column 'label', row 1: wanted a label in 0..2, found 2",
            ),
            (
                [Some(0), Some(-2), Some(0), Some(1)],
                "row 1: wanted a label in 0..2, found -2",
            ),
            (
                [Some(0), Some(1), None, Some(1)],
                "column 'label', row 2: wanted an integer, found null",
            ),
        ] {
            let message = pairs(long(&labels), None).expect_err("a bad label");
            assert!(message.contains(part), "{message}");
        }
        let message = pairs(texts(&["0", "1", "0", "1"]), None).expect_err("texts");
        assert!(
            message.contains("column 'label': wanted an integer, found Utf8"),
            "{message}"
        );
    }
}
