//! GLUE's and SuperGLUE's labelled texts on the Hub (`nyu-mll/glue`, `aps/super_glue`): texts whose
//! columns the card names, `label`, an integer, and optionally `idx`.

use super::card::Card;
use super::parquet::{Batch, Table, TableError};
use super::row::{LabelledRow, Row};

/// The column of classes.
pub const LABEL: &str = "label";
/// The column of the rows' names.
pub const INDEX: &str = "idx";

/// How GLUE and SuperGLUE mark a row whose label is kept secret.
const UNLABELLED: i64 = -1;

/// The columns to read from a file.
pub fn columns<'a>(card: &'a Card, table: &Table) -> Vec<&'a str> {
    let index = table.has(INDEX).then_some(INDEX);
    let texts = card.texts.iter().map(String::as_str);
    texts.chain([LABEL]).chain(index).collect()
}

/// The rows of a batch. A row is called by its `idx`, or else by its place in the file.
pub fn rows(card: &Card, batch: &Batch) -> Result<Vec<Row>, TableError> {
    let names = names(batch)?;
    Ok(labelled(card, batch)?
        .into_iter()
        .zip(names)
        .map(|(row, id)| Row::Labelled(LabelledRow { id, ..row }))
        .collect())
}

/// The texts and classes of a batch, without names.
pub(super) fn labelled(card: &Card, batch: &Batch) -> Result<Vec<LabelledRow>, TableError> {
    let mut texts = vec![Vec::new(); batch.rows()];
    for column in &card.texts {
        for (row, text) in texts.iter_mut().zip(batch.texts(column)?) {
            row.push(text);
        }
    }
    let passage = (card.passage.as_ref())
        .and_then(|passage| card.texts.iter().position(|text| text == passage));
    let labels = classes(batch, card.labels.len())?;
    Ok(texts
        .into_iter()
        .zip(labels)
        .map(|(texts, label)| LabelledRow {
            id: String::new(),
            question: None,
            texts,
            passage,
            label,
        })
        .collect())
}

/// What each row is called: its `idx`, or else its place in the file.
pub(super) fn names(batch: &Batch) -> Result<Vec<String>, TableError> {
    let indices = if batch.has(INDEX) {
        batch.integers(INDEX)?
    } else {
        vec![None; batch.rows()]
    };
    Ok(indices
        .into_iter()
        .enumerate()
        .map(|(row, index)| match index {
            Some(index) => index.to_string(),
            None => batch.place(row).to_string(),
        })
        .collect())
}

/// The labels as indices below `classes`.
pub(super) fn classes(batch: &Batch, classes: usize) -> Result<Vec<usize>, TableError> {
    batch
        .integers(LABEL)?
        .into_iter()
        .enumerate()
        .map(|(at, label)| {
            let label = label.ok_or_else(|| batch.null(LABEL, "an integer", at))?;
            let (file, column, row) =
                (batch.file().to_string(), LABEL.to_string(), batch.place(at));
            if label == UNLABELLED {
                return Err(TableError::Unlabelled { file, column, row });
            }
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
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, read, texts, write};
    use arrow::array::{ArrayRef, Int32Array, Int64Array};
    use std::sync::Arc;

    fn pairs(labels: ArrayRef, index: Option<ArrayRef>) -> Result<Vec<LabelledRow>, String> {
        let card = card("mrpc");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut file = vec![
            ("sentence1", texts(&["a", "b", "c", "d"])),
            ("sentence2", texts(&["A", "B", "C", "D"])),
            ("label", labels),
        ];
        let mut columns: Vec<&str> = card.texts.iter().map(String::as_str).collect();
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
                Row::Labelled(row) => Some(row),
                _ => None,
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
