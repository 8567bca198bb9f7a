//! Labelled texts on the Hub, as in GLUE, SuperGLUE, IMDb, MNLI or SNLI: the text columns listed in the card,
//! its label column (`label`), and optionally `idx`.
//!
//! With a `threshold` in the card, the column holds scores (Civil Comments' `toxicity` in [0, 1]): a score of
//! at least the threshold is the second class. Otherwise a label is accepted where it is unambiguous:
//!
//! - integers of any width, or whole floats (pandas' integers with gaps): the index of the class among the
//!   card's labels, from 0;
//! - text, also dictionary-encoded: the card's label, in any case, or its index in digits unless a label is
//!   itself a number;
//! - booleans: if the card's labels show which class is the true one, as do `false, true`, `no, yes` or
//!   `not_x, x`. RTE's `entailment, not_entailment` do not: is `true` class 0 or 1?

use crate::domain::card::{Card, Threshold};
use crate::domain::parquet::{Batch, Table, TableError};
use crate::domain::row::{LabelledRow, Row};

/// The column with the rows' names.
pub const INDEX: &str = "idx";

/// The label of rows whose label GLUE and SuperGLUE withhold.
const UNLABELLED: i64 = -1;

/// The columns to read from a file.
pub fn columns<'a>(card: &'a Card, table: &Table) -> Vec<&'a str> {
    let index = table.has(INDEX).then_some(INDEX);
    let texts = card.texts.iter().map(String::as_str);
    texts.chain([&*card.label_column]).chain(index).collect()
}

/// The rows of a batch, named by `idx`, or else by their index in the files of their split.
pub fn rows(card: &Card, batch: &Batch) -> Result<Vec<Row>, TableError> {
    let names = names(batch)?;
    Ok(labelled(card, batch)?
        .into_iter()
        .zip(names)
        .map(|(row, id)| Row::Labelled(LabelledRow { id, ..row }))
        .collect())
}

/// The texts and classes of a batch, without row names.
pub(super) fn labelled(card: &Card, batch: &Batch) -> Result<Vec<LabelledRow>, TableError> {
    let mut texts = vec![Vec::new(); batch.rows()];
    for column in &card.texts {
        for (row, text) in texts.iter_mut().zip(batch.texts(column)?) {
            row.push(text);
        }
    }
    let passage = (card.passage.as_ref())
        .and_then(|passage| card.texts.iter().position(|text| text == passage));
    let column = &card.label_column;
    let labels = match card.threshold {
        Some(threshold) => classes_of_scores(batch, column, threshold)?,
        None => classes(batch, column, &card.labels)?,
    };
    Ok(texts
        .into_iter()
        .zip(labels)
        .map(|(texts, label)| LabelledRow {
            group: None,
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

/// The rows whose label is not the card's `no_label`, and the number of others.
///
/// # Errors
/// The label column is missing or has neither integers nor text.
pub(super) fn rows_with_label(card: &Card, batch: Batch) -> Result<(Batch, usize), TableError> {
    let Some(no_label) = card.no_label else {
        return Ok((batch, 0));
    };
    let column = &card.label_column;
    let keep: Vec<bool> = if batch.is_text(column) {
        let no_label = no_label.to_string();
        let texts = batch.texts_or_nulls(column)?.into_iter();
        texts.map(|text| text.as_ref() != Some(&no_label)).collect()
    } else {
        let labels = batch.integers(column)?.into_iter();
        labels.map(|label| label != Some(no_label)).collect()
    };
    let left_out = keep.iter().filter(|keep| !**keep).count();
    Ok((batch.only(keep), left_out))
}

/// The report's note on rows without a label, if there are any.
pub fn note(left_out: usize, card: &Card) -> Option<String> {
    let no_label = card.no_label.filter(|_| left_out > 0)?;
    Some(format!(
        "{left_out} {} left out, since no right answer is known ({} is {no_label})",
        if left_out == 1 { "row" } else { "rows" },
        card.label_column
    ))
}

/// The labels of a column as indices into `classes`, the class strings.
pub(super) fn classes(
    batch: &Batch,
    column: &str,
    classes: &[String],
) -> Result<Vec<usize>, TableError> {
    let labels = if batch.is_text(column) {
        let texts = batch.texts_or_nulls(column)?.into_iter().enumerate();
        let label = |(row, text): (usize, Option<String>)| {
            let place = |text: String| {
                place_of(&text, classes).ok_or_else(|| {
                    let found = format!("{text:?}");
                    batch.value(column, row, in_words(classes), found)
                })
            };
            text.map(place).transpose()
        };
        texts.map(label).collect::<Result<_, _>>()?
    } else if batch.is_boolean(column) {
        if !says_which_is_true(classes) {
            return Err(batch.mistyped(column, NOT_BOOLEAN));
        }
        let booleans = batch.booleans(column)?.into_iter();
        booleans.map(|label| label.map(i64::from)).collect()
    } else {
        batch.integers(column)?
    };
    let labels = labels.into_iter().enumerate();
    labels
        .map(|(row, label)| {
            let label = label.ok_or_else(|| batch.null(column, "a label", row))?;
            class_of(batch, column, row, label, classes.len())
        })
        .collect()
}

/// The second class if the score is at least the threshold, else the first.
fn classes_of_scores(
    batch: &Batch,
    column: &str,
    Threshold(threshold): Threshold,
) -> Result<Vec<usize>, TableError> {
    let above = batch.at_least(column, threshold)?.into_iter().enumerate();
    above
        .map(|(row, above)| {
            let above = above.ok_or_else(|| batch.null(column, "a score", row))?;
            Ok(usize::from(above))
        })
        .collect()
}

/// The wanted value where booleans are ambiguous.
const NOT_BOOLEAN: &str =
    "an integer or a class's name, since the card's labels do not say which of them is true";

/// The class of an index stated in a file.
fn class_of(
    batch: &Batch,
    column: &str,
    at: usize,
    label: i64,
    classes: usize,
) -> Result<usize, TableError> {
    let (file, column, row) = (
        batch.file().to_string(),
        column.to_string(),
        batch.place(at),
    );
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

/// The class index a text stands for: that of the class with this name, or the number in digits.
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
    use crate::domain::card::LABEL;
    use crate::domain::readers::{DataFile, Reader};
    use crate::domain::sample::{card, read, texts, write};
    use arrow::array::{
        Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    };
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

    /// A row's name, its texts and its class.
    type Named = (String, Vec<String>, usize);

    /// The rows of a file in the Hub's layout, and the note on dropped rows.
    fn hub(
        name: &str,
        columns: Vec<(&str, ArrayRef)>,
    ) -> Result<(Vec<Named>, Option<String>), String> {
        let card = card(name);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = DataFile::at(write(&folder.path().join("a.parquet"), columns));
        let mut reader = Reader::new(&card, vec![file], None);
        let mut found = Vec::new();
        for rows in &mut reader {
            for row in rows.map_err(|error| error.to_string())? {
                let Row::Labelled(row) = row else {
                    panic!("{row:?}");
                };
                found.push((row.id, row.texts, row.label));
            }
        }
        Ok((found, reader.unlabelled_note()))
    }

    fn row(id: &str, texts: &[&str], label: usize) -> Named {
        let texts = texts.iter().map(|text| text.to_string()).collect();
        (id.to_string(), texts, label)
    }

    #[test]
    fn single_texts_and_their_columns_are_those_of_the_hub() {
        let sst2 = vec![
            ("sentence", texts(&["a dull film ", "warm and wise "])),
            ("label", long(&[Some(0), Some(1)])),
            ("idx", Arc::new(Int32Array::from(vec![5, 6]))),
        ];
        let (found, note) = hub("sst2", sst2).expect("rows");
        let wanted = [
            row("5", &["a dull film "], 0),
            row("6", &["warm and wise "], 1),
        ];
        assert_eq!((found, note), (wanted.to_vec(), None));
        let amazon = vec![
            ("label", long(&[Some(1)])),
            ("title", texts(&["Good"])),
            ("content", texts(&["It works."])),
        ];
        let (found, _) = hub("amazon_polarity", amazon).expect("rows");
        assert_eq!(found, [row("0", &["It works.", "Good"], 1)]);
        for name in ["imdb", "yelp_polarity"] {
            let columns = vec![("text", texts(&["Bad."])), ("label", long(&[Some(0)]))];
            assert_eq!(
                hub(name, columns).expect("rows").0,
                [row("0", &["Bad."], 0)]
            );
        }
    }

    #[test]
    fn scores_are_classes_at_the_threshold() {
        let columns = |scores: ArrayRef| {
            let others: ArrayRef = Arc::new(Float32Array::from(vec![0.0; 4]));
            vec![
                ("text", texts(&["a", "b", "c", "d"])),
                ("toxicity", scores),
                ("severe_toxicity", others),
            ]
        };
        let single = Arc::new(Float32Array::from(vec![0.0, 0.499_999, 0.5, 1.0]));
        let double = Arc::new(Float64Array::from(vec![0.0, 0.499_999, 0.5, 1.0]));
        for scores in [single as ArrayRef, double] {
            let (found, _) = hub("civil_comments", columns(scores)).expect("rows");
            let labels: Vec<usize> = found.iter().map(|row| row.2).collect();
            assert_eq!(labels, [0, 0, 1, 1]);
        }
        let unknown = Arc::new(Float64Array::from(vec![
            Some(0.1),
            None,
            Some(0.2),
            Some(0.3),
        ]));
        let error = hub("civil_comments", columns(unknown)).expect_err("no score");
        assert!(
            error.contains("column 'toxicity', row 1: wanted a score, found null"),
            "{error}"
        );
        let nan = Arc::new(Float64Array::from(vec![0.1, 0.2, f64::NAN, 0.3]));
        let error = hub("civil_comments", columns(nan)).expect_err("no number");
        assert!(
            error.contains("column 'toxicity', row 2: wanted a number, found NaN"),
            "{error}"
        );
        let error = hub("civil_comments", columns(texts(&["0"; 4]))).expect_err("texts");
        assert!(
            error.contains("column 'toxicity': wanted a number, found Utf8"),
            "{error}"
        );
        // 0.7 in single precision is less than 0.7 in double precision.
        let folder = tempfile::tempdir().expect("a temporary folder");
        let scores = Arc::new(Float32Array::from(vec![0.7, 0.699_999]));
        let path = write(
            &folder.path().join("a.parquet"),
            vec![("x", scores as ArrayRef)],
        );
        let above = read(&path, &["x"], |batch| batch.at_least("x", 0.7)).expect("numbers");
        assert_eq!(above, [Some(true), Some(false)]);
    }

    #[test]
    fn snli_s_rows_without_a_label_are_left_out_and_counted() {
        let columns = |labels: &[Option<i64>]| {
            vec![
                ("premise", texts(&["p", "q", "r", "s"])),
                ("hypothesis", texts(&["P", "Q", "R", "S"])),
                ("label", long(labels)),
            ]
        };
        let labels = [Some(2), Some(-1), Some(0), Some(-1)];
        let (found, note) = hub("snli", columns(&labels)).expect("rows");
        // Rows retain their index in the file.
        assert_eq!(found, [row("0", &["P", "p"], 2), row("2", &["R", "r"], 0)]);
        assert_eq!(
            note.as_deref(),
            Some("2 rows left out, since no right answer is known (label is -1)")
        );
        let error = hub("mnli", columns(&labels)).expect_err("MNLI has no such rows");
        assert!(error.contains("row 1: wanted a label, found -1"), "{error}");
        let error = hub("snli", columns(&[Some(0), Some(3), None, Some(1)])).expect_err("no class");
        assert!(
            error.contains("row 1: wanted a label in 0..3, found 3"),
            "{error}"
        );
    }

    #[test]
    fn inference_has_the_columns_of_the_hub() {
        let anli = vec![
            ("uid", texts(&["u"])),
            ("premise", texts(&["p"])),
            ("hypothesis", texts(&["h"])),
            ("label", long(&[Some(1)])),
            ("reason", texts(&["because"])),
        ];
        assert_eq!(
            hub("anli_r2", anli).expect("rows").0,
            [row("0", &["h", "p"], 1)]
        );
        let hans = vec![
            ("premise", texts(&["p"])),
            ("hypothesis", texts(&["h"])),
            ("label", long(&[Some(1)])),
            ("heuristic", texts(&["subsequence"])),
        ];
        assert_eq!(
            hub("hans", hans).expect("rows").0,
            [row("0", &["h", "p"], 1)]
        );
    }
}
