//! GLUE's and SuperGLUE's labelled texts on the Hub (`nyu-mll/glue`, `aps/super_glue`): the text columns that the card
//! names, the integer `label`, and optionally `idx`.
//!
//! A label is accepted where it is unambiguous:
//!
//! - integers of any width, or whole floats (pandas' integers with gaps): the index of the class among the card's
//!   labels, from 0;
//! - texts, also dictionary-encoded: the card's label, in any case, or its index in digits where no label is itself a
//!   number;
//! - booleans: where the card's labels show which class is the true one, as `false, true`, `no, yes` or `not_x, x` do.
//!   RTE's `entailment, not_entailment` do not: is `true` the first or 1?

use crate::domain::card::Card;
use crate::domain::parquet::{Batch, Table, TableError};
use crate::domain::row::{LabelledRow, Row};

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

/// The rows of a batch. A row's name is its `idx`, or else its index in the files of its split.
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
    let labels = classes(batch, &card.labels)?;
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

/// Each row's name: its `idx`, or else its index in the files of its split.
pub(super) fn names(batch: &Batch) -> Result<Vec<String>, TableError> {
    let indices = if batch.has(INDEX) {
        batch.names(INDEX)?
    } else {
        vec![None; batch.rows()]
    };
    Ok(indices
        .into_iter()
        .enumerate()
        .map(|(row, index)| index.unwrap_or_else(|| batch.number(row).to_string()))
        .collect())
}

/// The labels as indices into `classes`, the class strings.
pub(super) fn classes(batch: &Batch, classes: &[String]) -> Result<Vec<usize>, TableError> {
    let labels = if batch.is_text(LABEL) {
        let texts = batch.texts_or_nulls(LABEL)?.into_iter().enumerate();
        let label = |(row, text): (usize, Option<String>)| {
            let place = |text: String| {
                place_of(&text, classes).ok_or_else(|| {
                    let found = format!("{text:?}");
                    batch.value(LABEL, row, in_words(classes), found)
                })
            };
            text.map(place).transpose()
        };
        texts.map(label).collect::<Result<_, _>>()?
    } else if batch.is_boolean(LABEL) {
        if !says_which_is_true(classes) {
            return Err(batch.mistyped(LABEL, NOT_BOOLEAN));
        }
        let booleans = batch.booleans(LABEL)?.into_iter();
        booleans.map(|label| label.map(i64::from)).collect()
    } else {
        batch.integers(LABEL)?
    };
    let labels = labels.into_iter().enumerate();
    labels
        .map(|(row, label)| {
            let label = label.ok_or_else(|| batch.null(LABEL, "a label", row))?;
            class_of(batch, row, label, classes.len())
        })
        .collect()
}

/// What is wanted where booleans are ambiguous.
const NOT_BOOLEAN: &str =
    "an integer or a class's name, since the card's labels do not say which of them is true";

/// The class of an index that a file states.
fn class_of(batch: &Batch, at: usize, label: i64, classes: usize) -> Result<usize, TableError> {
    let (file, column, row) = (batch.file().to_string(), LABEL.to_string(), batch.place(at));
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
}

/// The index that a text means: that of the class of this name, or the number in its digits.
fn place_of(text: &str, classes: &[String]) -> Option<i64> {
    let of_name = (classes.iter()).position(|class| class.eq_ignore_ascii_case(text));
    let number = |text: &str| text.parse::<i64>().ok();
    match of_name {
        Some(place) => i64::try_from(place).ok(),
        None if classes.iter().any(|class| number(class).is_some()) => None,
        None => number(text),
    }
}

/// Whether the names of two classes show that the second is the true one.
fn says_which_is_true(classes: &[String]) -> bool {
    let classes: Vec<String> = classes.iter().map(|class| class.to_lowercase()).collect();
    match classes.as_slice() {
        [no, yes] => {
            let known = [("false", "true"), ("no", "yes")].contains(&(no.as_str(), yes.as_str()));
            let denied = no
                .strip_prefix("not")
                .map(|rest| rest.trim_start_matches(['_', '-', ' ']));
            known || denied == Some(yes.as_str())
        }
        _ => false,
    }
}

/// `one of 'no', 'yes', or their places in 0..2`.
fn in_words(classes: &[String]) -> String {
    let names: Vec<String> = classes.iter().map(|class| format!("'{class}'")).collect();
    format!(
        "one of {}, or its place in 0..{}",
        names.join(", "),
        classes.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, read, texts, write};
    use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
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
    fn invalid_labels_are_named_by_row() {
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
                "column 'label', row 2: wanted a label, found null",
            ),
        ] {
            let message = pairs(long(&labels), None).expect_err("a bad label");
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn unambiguous_labels_are_read_in_every_type() {
        let dictionary = |values: &ArrayRef, kind: DataType| {
            let kind = DataType::Dictionary(Box::new(DataType::Int8), Box::new(kind));
            cast(values, &kind).expect("a dictionary")
        };
        let names = texts(&[
            "not_equivalent",
            "equivalent",
            "Equivalent",
            "NOT_EQUIVALENT",
        ]);
        let integers = long(&[Some(0), Some(1), Some(1), Some(0)]);
        for labels in [
            Arc::new(Float64Array::from(vec![0.0, 1.0, 1.0, -0.0])) as ArrayRef,
            Arc::new(BooleanArray::from(vec![false, true, true, false])),
            cast(&integers, &DataType::UInt8).expect("small integers"),
            dictionary(&integers, DataType::Int64),
            texts(&["0", "1", "1", "0"]),
            dictionary(&names, DataType::Utf8),
            names,
        ] {
            let kind = labels.data_type().clone();
            let found = pairs(labels, None).expect("labels");
            let found: Vec<usize> = found.iter().map(|row| row.label).collect();
            assert_eq!(found, [0, 1, 1, 0], "{kind}");
        }
    }

    #[test]
    fn ambiguous_labels_are_refused() {
        let floats =
            |last: f64| Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, last])) as ArrayRef;
        let dates = cast(&long(&[Some(0); 4]), &DataType::Date64).expect("dates");
        for (labels, part) in [
            (
                floats(0.5),
                "column 'label', row 3: wanted a whole number, found 0.5",
            ),
            (floats(f64::NAN), "row 3: wanted a whole number, found NaN"),
            (floats(2.0), "row 3: wanted a label in 0..2, found 2"),
            (
                floats(-1.0),
                "row 3: wanted a label, found -1, which is how GLUE",
            ),
            (
                texts(&["0", "1", "maybe", "0"]),
                "column 'label', row 2: wanted one of 'not_equivalent', 'equivalent', or its place in \
                 0..2, found \"maybe\"",
            ),
            (
                texts(&["0", "1", "0", "-1"]),
                "row 3: wanted a label, found -1",
            ),
            (dates, "column 'label': wanted an integer, found Date64"),
        ] {
            let message = pairs(labels, None).expect_err(part);
            assert!(message.contains(part), "{message}");
        }
        let strings = |classes: &[&str]| classes.iter().map(|c| c.to_string()).collect::<Vec<_>>();
        // "1" is the name of the first class as well as the index of the second.
        assert_eq!(place_of("1", &strings(&["1", "0"])), Some(0));
        assert_eq!(place_of("2", &strings(&["1", "0"])), None);
        for (classes, says) in [
            (&["False", "True"][..], true),
            (&["no", "yes"], true),
            (&["not_duplicate", "duplicate"], true),
            (&["entailment", "not_entailment"], false),
            (&["choice1", "choice2"], false),
            (&["entailment", "contradiction", "neutral"], false),
        ] {
            assert_eq!(says_which_is_true(&strings(classes)), says, "{classes:?}");
        }
    }

    #[test]
    fn booleans_of_rte_are_refused() {
        let card = card("rte");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(
            &folder.path().join("a.parquet"),
            vec![
                ("premise", texts(&["p"])),
                ("hypothesis", texts(&["h"])),
                ("label", Arc::new(BooleanArray::from(vec![true]))),
            ],
        );
        let columns = ["premise", "hypothesis", LABEL];
        let message = read(&path, &columns, |batch| rows(&card, batch))
            .expect_err("which is true?")
            .to_string();
        assert!(
            message.contains("column 'label': wanted an integer or a class's name")
                && message.ends_with("found Boolean"),
            "{message}"
        );
    }

    #[test]
    fn rows_may_be_named_by_text() {
        let labels = long(&[Some(0), Some(1), Some(1), Some(0)]);
        let named = pairs(labels, Some(texts(&["w", "x", "y", "z"]))).expect("a whole file");
        assert_eq!(named[3].id, "z");
    }
}
