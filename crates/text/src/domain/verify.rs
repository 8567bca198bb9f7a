//! Checks a domain's files against its card.
//!
//! Every row is read, in batches; only hashes are kept.

use std::fmt;

use super::card::Card;
use super::example::AnswerLocation;
use super::format::{self, AnswerForm};
use super::parquet::TableError;
use super::readers::spans::{self, SpanCounts};
use super::readers::{DataFile, Reader};
use super::row::Row;
use super::splits::Split;
use super::suite::{DomainError, Suite};
use super::task::Task;
use super::wording::Wording;

/// One property checked in one split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The split.
    pub split: Split,
    /// The property.
    pub what: &'static str,
    /// What the card or the task requires.
    pub wanted: String,
    /// What was found.
    pub found: String,
    /// The verdict.
    pub outcome: Outcome,
}

/// The verdict on a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As required.
    Holds,
    /// Worth knowing, but not a failure.
    Noted,
    /// Not as required.
    Fails,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Holds => "holds",
            Outcome::Noted => "note",
            Outcome::Fails => "FAILS",
        })
    }
}

/// The requirement on row names.
const NAMES: &str = "one for each row";

/// Checks every split of a domain that a suite has.
///
/// # Errors
/// The suite has no file of the domain.
pub fn verify(suite: &Suite, card: &Card) -> Result<Vec<Check>, DomainError> {
    let splits = suite.splits(card);
    if splits.is_empty() {
        return Err(DomainError::NoFile {
            domain: card.name.clone(),
            role: "domain",
            suite: suite.place().into(),
            wanted: "train.parquet, validation.parquet or test.parquet",
            hint: suite.hint_of(card, &splits).into(),
            found: splits,
        });
    }
    // The card's statements about published files do not apply to a miniature.
    let card = &match suite {
        Suite::Mini => Card {
            source: None,
            ..card.clone()
        },
        Suite::Folder(_) | Suite::Hub { .. } => card.clone(),
    };
    Ok(splits
        .into_iter()
        .flat_map(|split| match suite.files(card, split) {
            Ok(files) => verify_split(card, split, files),
            Err(error) => vec![Check {
                split,
                what: "files",
                wanted: "all of the split, and no file that almost matches".to_string(),
                found: error.to_string(),
                outcome: Outcome::Fails,
            }],
        })
        .collect())
}

fn verify_split(card: &Card, split: Split, files: Vec<DataFile>) -> Vec<Check> {
    let mut checks = Checks {
        split,
        checks: Vec::new(),
    };
    checks.checksums(card, &files);
    let mut census = Census::default();
    let mut reader = Reader::new(card, files.clone(), None);
    let failure = reader.find_map(|rows| match rows {
        Ok(rows) => {
            rows.into_iter().for_each(|row| census.add(card, row));
            None
        }
        Err(error) => Some(error),
    });
    let offsets = offsets(card, &files);
    let wanted = format!("columns, types and labels of {:?}", card.schema);
    match failure {
        Some(error) => {
            let (what, wanted) = match error {
                TableError::Repeated { .. } => ("names", NAMES.to_string()),
                _ => ("schema", wanted),
            };
            checks.add(what, wanted, error.to_string(), Outcome::Fails);
            return checks.checks;
        }
        None => checks.add(
            "schema",
            wanted,
            "true of every row".to_string(),
            Outcome::Holds,
        ),
    }
    let repeats = reader.repeats();
    checks.rows(card, census.rows + repeats + reader.unlabelled);
    if let Some(subset) = card.subset().filter(|_| !reader.left_out.is_empty()) {
        let others: Vec<&str> = reader.left_out.iter().map(String::as_str).collect();
        checks.add(
            "other rows",
            format!("only '{subset}' is read"),
            others.join(", "),
            Outcome::Noted,
        );
    }
    if let Some(found) = reader.unlabelled_note() {
        let wanted = "rows with a right answer".to_string();
        checks.add("unlabelled", wanted, found, Outcome::Noted);
    }
    let unique = match repeats {
        0 => Outcome::Holds,
        _ => Outcome::Noted,
    };
    let found = (reader.repeats_note()).unwrap_or_else(|| "no repeats".to_string());
    checks.add("names", NAMES.to_string(), found, unique);
    checks.census(card, &census);
    checks.offsets(offsets);
    checks.checks
}

/// Counts of the answer positions stated in the files; `None` if they state none.
fn offsets(card: &Card, files: &[DataFile]) -> Result<Option<SpanCounts>, TableError> {
    let mut sum: Option<SpanCounts> = None;
    if card.task != Task::ExtractiveQa {
        return Ok(sum);
    }
    for file in files {
        if let Some(counts) = spans::count(card, file)? {
            sum.get_or_insert_default().add_all(counts);
        }
    }
    Ok(sum)
}

/// Counts made while reading.
#[derive(Default)]
struct Census {
    rows: usize,
    empty: usize,
    /// Rows whose passage should state an answer, and how many do.
    asked: usize,
    stated: usize,
    /// Number of rows per class.
    classes: Vec<usize>,
}

impl Census {
    fn add(&mut self, card: &Card, row: Row) {
        self.rows += 1;
        self.empty += usize::from(row.texts().iter().any(|text| text.trim().is_empty()));
        let class = match &row {
            Row::Labelled(row) => Some(row.label),
            Row::Pronoun(row) => Some(usize::from(row.label)),
            Row::Question(_) | Row::Cloze(_) => None,
        };
        if let Some(class) = class {
            if self.classes.len() <= class {
                self.classes.resize(class + 1, 0);
            }
            self.classes[class] += 1;
        }
        let (split, form, wording) = (Split::Test, AnswerForm::Padded, Wording::default());
        for example in format::examples(card, row, split, form, &wording) {
            self.asked += usize::from(example.answer_location != AnswerLocation::NotExpected);
            self.stated +=
                usize::from(matches!(example.answer_location, AnswerLocation::EndsAt(_)));
        }
    }
}

/// The checks of one split.
struct Checks {
    split: Split,
    checks: Vec<Check>,
}

impl Checks {
    fn add(&mut self, what: &'static str, wanted: String, found: String, outcome: Outcome) {
        self.checks.push(Check {
            split: self.split,
            what,
            wanted,
            found,
            outcome,
        });
    }

    fn checksums(&mut self, card: &Card, files: &[DataFile]) {
        let known = (card.published(self.split)).map_or(&[][..], |published| &published.sha256);
        for (at, file) in files.iter().enumerate() {
            let wanted = known.get(at);
            let (found, outcome) = match (file.sha256(), wanted) {
                (Err(error), _) => (error.to_string(), Outcome::Fails),
                (Ok(found), None) => (found, Outcome::Noted),
                (Ok(found), Some(wanted)) if found == *wanted => (found, Outcome::Holds),
                (Ok(found), Some(_)) => (found, Outcome::Fails),
            };
            let unknown = || "the card states none".to_string();
            self.add(
                "SHA-256",
                wanted.cloned().unwrap_or_else(unknown),
                found,
                outcome,
            );
        }
    }

    /// Offsets do not affect scores, so wrong ones are only noted; unreadable ones are a failure.
    fn offsets(&mut self, counts: Result<Option<SpanCounts>, TableError>) {
        let wanted = "each answer at its offset, in code points".to_string();
        match counts {
            Ok(None) => {}
            Ok(Some(counts)) => {
                let SpanCounts { all, right, .. } = counts;
                let outcome = if all == right {
                    Outcome::Holds
                } else {
                    Outcome::Noted
                };
                let mut found = format!("right in {right} of {all}");
                for (unit, counted) in [
                    ("bytes", counts.in_bytes),
                    ("units of UTF-16", counts.in_utf16),
                ] {
                    if counted > right {
                        found.push_str(&format!("; counted in {unit}, in {counted}"));
                    }
                }
                self.add("offsets", wanted, found, outcome);
            }
            Err(error) => self.add("offsets", wanted, error.to_string(), Outcome::Fails),
        }
    }

    fn rows(&mut self, card: &Card, found: usize) {
        let stated = card
            .published(self.split)
            .and_then(|published| published.rows);
        let unverified =
            (card.source.iter()).any(|source| source.unverified.iter().any(|what| what == "rows"));
        let (wanted, outcome) = match stated {
            Some(rows) if rows == found => (rows.to_string(), Outcome::Holds),
            Some(rows) if unverified => (format!("{rows}, from memory"), Outcome::Noted),
            Some(rows) => (rows.to_string(), Outcome::Fails),
            None if found == 0 => ("at least one".to_string(), Outcome::Fails),
            None => ("the card states none".to_string(), Outcome::Noted),
        };
        self.add("rows", wanted, found.to_string(), outcome);
    }

    fn census(&mut self, card: &Card, census: &Census) {
        let none = |wanted: usize, found| {
            if wanted == found {
                Outcome::Holds
            } else {
                Outcome::Noted
            }
        };
        self.add(
            "texts",
            "none empty".to_string(),
            format!("{} rows with an empty one", census.empty),
            none(0, census.empty),
        );
        if census.asked > 0 {
            self.add(
                "answers",
                "one in the passage".to_string(),
                format!("in {} of {} rows", census.stated, census.asked),
                none(census.asked, census.stated),
            );
        }
        if !census.classes.is_empty() {
            let pronouns = ["not the referent", "the referent"].map(str::to_string);
            let labels = if card.labels.is_empty() {
                &pronouns[..]
            } else {
                &card.labels
            };
            let count = |class: usize| census.classes.get(class).copied().unwrap_or(0);
            let counts: Vec<String> = (labels.iter().enumerate())
                .map(|(class, label)| format!("{label} {}", count(class)))
                .collect();
            let absent = (0..labels.len()).filter(|class| count(*class) == 0).count();
            self.add(
                "labels",
                "each at least once".to_string(),
                counts.join(", "),
                none(0, absent),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card;
    use crate::domain::sample::{answers, card, integers, texts, write};
    use std::path::Path;

    /// The outcome of a check of the only split, and what was found.
    fn found(card: &Card, folder: &Path, what: &str) -> (Outcome, String) {
        let suite = Suite::Folder(folder.to_path_buf());
        let checks = verify(&suite, card).expect("a domain");
        let check = checks.into_iter().find(|check| check.what == what);
        let check = check.unwrap_or_else(|| panic!("no check '{what}'"));
        (check.outcome, check.found)
    }

    fn squad(folder: &Path, ids: &[&str], golds: &[&[&str]]) {
        write(
            &folder.join("squad/validation.parquet"),
            vec![
                ("id", texts(ids)),
                ("context", texts(&vec!["A mill."; ids.len()])),
                ("question", texts(&vec!["What?"; ids.len()])),
                ("answers", answers(golds)),
            ],
        );
    }

    #[test]
    fn a_domain_that_matches_its_card_passes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        squad(folder.path(), &["a", "b"], &[&["A mill"], &["A mill", "A"]]);
        let mut card = card("squad");
        let (outcome, sha256) = found(&card, folder.path(), "SHA-256");
        assert_eq!((outcome, sha256.len()), (Outcome::Noted, 64));
        let published = card
            .source
            .as_mut()
            .and_then(|source| source.validation.as_mut());
        let published = published.expect("squad has validation");
        published.rows = Some(2);
        published.sha256 = vec![sha256];
        let suite = Suite::Folder(folder.path().to_path_buf());
        for check in verify(&suite, &card).expect("a domain") {
            assert_eq!(check.outcome, Outcome::Holds, "{check:?}");
        }
    }

    #[test]
    fn deviations_from_the_card_fail() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        squad(
            folder.path(),
            &["a", "b", "b", "c"],
            &[&["mill"], &["barn"], &["barn"], &["mill"]],
        );
        let mut card = card("squad");
        let of = |card: &Card, what| found(card, folder.path(), what);
        assert_eq!(of(&card, "rows"), (Outcome::Fails, "4".to_string()));
        let (outcome, repeats) = of(&card, "names");
        assert_eq!(outcome, Outcome::Noted);
        assert!(repeats.starts_with("1 row left out"), "{repeats}");
        assert_eq!(
            of(&card, "answers"),
            (Outcome::Noted, "in 2 of 3 rows".to_string())
        );
        let offsets = "right in 0 of 4".to_string();
        assert_eq!(of(&card, "offsets"), (Outcome::Noted, offsets));
        let source = card.source.as_mut().expect("squad is published");
        source.unverified.push("rows".to_string());
        source
            .validation
            .as_mut()
            .expect("squad has validation")
            .sha256 = vec!["0".repeat(64)];
        assert_eq!(of(&card, "rows").0, Outcome::Noted);
        assert_eq!(of(&card, "SHA-256").0, Outcome::Fails);
        squad(folder.path(), &["a", "a"], &[&["mill"], &["barn"]]);
        let (outcome, error) = of(&card, "names");
        assert_eq!(outcome, Outcome::Fails);
        assert!(
            error.contains("row 1") && error.contains("'a' again"),
            "{error}"
        );
        squad(folder.path(), &["a"], &[&[]]);
        let (outcome, error) = of(&card, "schema");
        assert_eq!(outcome, Outcome::Fails);
        assert!(
            error.contains("row 0: wanted at least one answer"),
            "{error}"
        );
    }

    #[test]
    fn labels_are_counted_and_wrong_ones_fail() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |labels: &[i64]| {
            write(
                &folder.path().join("rte/train.parquet"),
                vec![
                    ("premise", texts(&["p", "q", ""])),
                    ("hypothesis", texts(&["h", "h", "h"])),
                    ("label", integers(labels)),
                ],
            )
        };
        let card = card("rte");
        file(&[0, 0, 1]);
        let counts = "entailment 2, not_entailment 1".to_string();
        assert_eq!(
            found(&card, folder.path(), "labels"),
            (Outcome::Holds, counts)
        );
        let empty = "1 rows with an empty one".to_string();
        assert_eq!(
            found(&card, folder.path(), "texts"),
            (Outcome::Noted, empty)
        );
        file(&[0, 0, 0]);
        assert_eq!(found(&card, folder.path(), "labels").0, Outcome::Noted);
        file(&[0, 0, 7]);
        let (outcome, error) = found(&card, folder.path(), "schema");
        assert!(
            outcome == Outcome::Fails && error.contains("found 7"),
            "{error}"
        );
    }

    #[test]
    fn the_miniatures_pass() {
        for card in card::bundled()
            .iter()
            .filter(|card| card.miniature.is_some())
        {
            for check in verify(&Suite::Mini, card).expect("bundled") {
                assert_ne!(check.outcome, Outcome::Fails, "{} {check:?}", card.name);
            }
        }
    }

    #[test]
    fn an_absent_domain_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let suite = Suite::Folder(folder.path().to_path_buf());
        let message = verify(&suite, &card("rte"))
            .expect_err("nothing")
            .to_string();
        assert!(
            message.contains("'rte' cannot be a domain in "),
            "{message}"
        );
    }
}
