//! WSC's columns on the Hub (`aps/super_glue`, `wsc.fixed`): `text`, the referent `span1_text`, the pronoun
//! `span2_text` with its word index `span2_index`, `label` and `idx`.

use super::glue;
use crate::domain::card::LABEL;
use crate::domain::parquet::{Batch, Table, TableError};
use crate::domain::row::{PronounRow, Row};

const TEXTS: [&str; 3] = ["text", "span1_text", "span2_text"];
const PLACE: &str = "span2_index";

/// The maximum distance in words between the pronoun and the stated index. T5 corrects the one text of the
/// data set in which the index is off by one.
const NEAR: usize = 1;

/// The columns to read from a file.
pub fn columns(table: &Table) -> Vec<&'static str> {
    let index = table.has(glue::INDEX).then_some(glue::INDEX);
    TEXTS
        .into_iter()
        .chain([PLACE, LABEL])
        .chain(index)
        .collect()
}

/// SuperGLUE's class names for whether the pronoun refers to the referent.
fn classes() -> [String; 2] {
    ["False", "True"].map(str::to_string)
}

/// The rows of a batch.
pub fn rows(batch: &Batch) -> Result<Vec<Row>, TableError> {
    let [text, referent, pronoun] = TEXTS;
    let (texts, referents) = (batch.texts(text)?, batch.texts(referent)?);
    let (pronouns, places) = (batch.texts(pronoun)?, batch.integers(PLACE)?);
    let (names, labels) = (
        glue::names(batch)?,
        glue::classes(batch, LABEL, &classes())?,
    );
    texts
        .into_iter()
        .zip(referents)
        .zip(names.into_iter().zip(labels))
        .enumerate()
        .map(|(row, ((text, referent), (id, label)))| {
            let place = places[row].ok_or_else(|| batch.null(PLACE, "an integer", row))?;
            let marked = usize::try_from(place)
                .ok()
                .and_then(|place| mark(&text, &pronouns[row], place));
            Ok(Row::Pronoun(PronounRow {
                id,
                text: marked.ok_or_else(|| TableError::Value {
                    file: batch.file().to_string(),
                    column: PLACE.to_string(),
                    row: batch.place(row),
                    wanted: format!("the place of the word '{}' in the text", pronouns[row]),
                    found: place.to_string(),
                })?,
                referent,
                label: label == 1,
            }))
        })
        .collect()
}

/// The text with the pronoun as `*pronoun*`: T5's `wsc_simple`. Punctuation attached to the pronoun becomes a
/// separate word, as in T5; `None` if the pronoun is not found.
fn mark(text: &str, pronoun: &str, place: usize) -> Option<String> {
    let mut words: Vec<String> = text.trim().split(' ').map(str::to_string).collect();
    let near = (place..=place + NEAR).chain(place.checked_sub(NEAR));
    let at = near.into_iter().find(|at| {
        words
            .get(*at)
            .is_some_and(|word| hanging(word, pronoun).is_some())
    })?;
    let marked = match hanging(&words[at], pronoun)? {
        "" => format!("*{pronoun}*"),
        punctuation => format!("*{pronoun}* {punctuation}"),
    };
    words[at] = marked;
    Some(words.join(" "))
}

/// What follows the pronoun within a word, if only punctuation.
fn hanging<'a>(word: &'a str, pronoun: &str) -> Option<&'a str> {
    let rest = word.strip_prefix(pronoun)?;
    rest.chars()
        .all(|c| c.is_ascii_punctuation())
        .then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parquet::TableFile;
    use crate::domain::sample::{integers, read, texts, write};

    #[test]
    fn the_pronoun_is_marked_as_in_t5() {
        for (text, pronoun, place, wanted) in [
            (
                "Ola asked Per if he could help.",
                "he",
                4,
                "Ola asked Per if *he* could help.",
            ),
            // T5's two special cases, generalised: attached punctuation, and an index that is off by one.
            (
                "\"Well for him,\" said Ola. ",
                "him",
                2,
                "\"Well for *him* ,\" said Ola.",
            ),
            (
                "Some day they may use it , or not.",
                "it",
                4,
                "Some day they may use *it* , or not.",
            ),
            ("He came.", "He", 0, "*He* came."),
        ] {
            assert_eq!(mark(text, pronoun, place).as_deref(), Some(wanted));
        }
        assert_eq!(mark("Ola came.", "he", 1), None);
        assert_eq!(mark("Ola saw her there.", "he", 2), None);
        assert_eq!(mark("Ola came.", "he", 9), None);
    }

    #[test]
    fn referents_are_read_and_a_wrong_place_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |place: i64| {
            write(
                &folder.path().join("a.parquet"),
                vec![
                    (
                        "text",
                        texts(&["Ola saw Per and he ran.", "Ola saw Per and he ran."]),
                    ),
                    ("span1_index", integers(&[2, 0])),
                    ("span2_index", integers(&[4, place])),
                    ("span1_text", texts(&["Per", "Ola"])),
                    ("span2_text", texts(&["he", "he"])),
                    ("idx", integers(&[0, 1])),
                    ("label", integers(&[1, 0])),
                ],
            )
        };
        let path = file(4);
        let columns = columns(&TableFile::Disk(path.clone()).open().expect("a whole file"));
        let found = read(&path, &columns, rows).expect("a whole file");
        let Row::Pronoun(row) = &found[1] else {
            panic!("a pronoun");
        };
        assert_eq!(row.text, "Ola saw Per and *he* ran.");
        assert_eq!(
            (row.id.as_str(), row.referent.as_str(), row.label),
            ("1", "Ola", false)
        );
        let message = read(&file(1), &columns, rows)
            .expect_err("a wrong place")
            .to_string();
        assert!(
            message.ends_with(
                "column 'span2_index', row 1: wanted the place of the word 'he' in the text, found 1"
            ),
            "{message}"
        );
    }
}
