//! The nine domains of the miniature suite, each read from a file of phrases, `domains/NAME.toml`.
//!
//! The file of a reading domain is a [`Reading`], that of a domain of sentence pairs a [`Pairing`];
//! `domains/lists.toml` holds shared lists. After a change of the phrases, regenerate the bundled parquet files with
//! `cargo run -- datasets`.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;

use super::answers::{Answer, Lists};
use super::grammar::Reading;
use super::pairs::Pairing;

/// One domain of the miniature suite.
#[derive(Debug)]
pub struct Domain {
    /// The name of the data set that the domain imitates.
    pub name: &'static str,
    pub(super) task: Task,
}

/// The kind of a domain's examples.
#[derive(Debug)]
pub(super) enum Task {
    /// Questions about a passage.
    Reading(Reading),
    /// Pairs of sentences with a label.
    Pairs(Pairing),
}

impl Domain {
    /// How the domain differs from the others.
    pub fn about(&self) -> &str {
        match &self.task {
            Task::Reading(reading) => &reading.about,
            Task::Pairs(pairing) => &pairing.about,
        }
    }

    /// The least and the most facts of a passage; `None` for sentence pairs.
    pub fn facts(&self) -> Option<(usize, usize)> {
        match &self.task {
            Task::Reading(reading) => Some(reading.facts),
            Task::Pairs(_) => None,
        }
    }
}

/// Every domain: the source `squad` first, then the reading targets, then the pairs.
pub fn domains() -> &'static [Domain] {
    &DOMAINS
}

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("domains/", $name, ".toml")))
    };
}

const READINGS: [(&str, &str); 7] = [
    file!("squad"),
    file!("textbookqa"),
    file!("bioasq"),
    file!("race"),
    file!("relation_extraction"),
    file!("duorc"),
    file!("drop"),
];
const PAIRINGS: [(&str, &str); 2] = [file!("qqp"), file!("mrpc")];
const SHARED: (&str, &str) = file!("lists");

static DOMAINS: LazyLock<Vec<Domain>> = LazyLock::new(|| {
    bundled().unwrap_or_else(|error| panic!("the files are compiled in and tested: {error}"))
});

/// Why a file of phrases can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PhrasesError {
    /// It is not TOML, or not of this form.
    #[error("domains/{file}.toml: {found}")]
    Form {
        /// The file.
        file: &'static str,
        /// The parser's error: the line, what was wanted and what was found.
        found: String,
    },
    /// An answer refers to a list that does not exist or is empty.
    #[error("domains/{file}.toml: wanted a list of one of the names {known}, found '{found}'")]
    List {
        /// The file.
        file: &'static str,
        /// The lists that have entries.
        known: String,
        /// The name.
        found: String,
    },
}

fn bundled() -> Result<Vec<Domain>, PhrasesError> {
    let shared: Lists = parse(SHARED)?;
    let readings = READINGS.map(|file| {
        let mut reading: Reading = parse(file)?;
        reading.lists.extend(shared.clone());
        let answers = reading.relations().map(|relation| &relation.answer);
        check(file.0, &reading.lists, answers)?;
        Ok((file.0, Task::Reading(reading)))
    });
    let pairings = PAIRINGS.map(|file| {
        let mut pairing: Pairing = parse(file)?;
        pairing.lists.extend(shared.clone());
        let details = pairing
            .intents()
            .filter_map(|intent| intent.detail.as_ref());
        check(file.0, &pairing.lists, details)?;
        Ok((file.0, Task::Pairs(pairing)))
    });
    let domains = readings.into_iter().chain(pairings);
    domains
        .map(|domain| domain.map(|(name, task)| Domain { name, task }))
        .collect()
}

fn parse<T: DeserializeOwned>((file, text): (&'static str, &str)) -> Result<T, PhrasesError> {
    toml::from_str(text).map_err(|error| PhrasesError::Form {
        file,
        found: error.to_string(),
    })
}

/// Checks that every list that an answer refers to exists.
fn check<'a>(
    file: &'static str,
    lists: &Lists,
    answers: impl Iterator<Item = &'a Answer>,
) -> Result<(), PhrasesError> {
    let is_known = |name: &&str| lists.get(*name).is_some_and(|list| !list.is_empty());
    match answers.flat_map(Answer::lists).find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(PhrasesError::List {
            file,
            known: Vec::from_iter(lists.keys().map(String::as_str)).join(", "),
            found: name.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_file_is_valid() {
        let names: Vec<&str> = (bundled().expect("whole").iter())
            .map(|domain| domain.name)
            .collect();
        assert_eq!(names.len(), READINGS.len() + PAIRINGS.len());
        assert!(domains().iter().all(|domain| !domain.about().is_empty()));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_says_where() {
        let (file, text) = PAIRINGS[0];
        let misspelt = text.replace("positives =", "positive =");
        let PhrasesError::Form { file, found } =
            parse::<Pairing>((file, &misspelt)).expect_err("no such key")
        else {
            panic!("of another kind");
        };
        let line = 1 + text
            .lines()
            .take_while(|line| !line.starts_with("positives"))
            .count();
        assert_eq!(file, "qqp");
        for part in [&format!("line {line}"), "`positive`", "`positives`"] {
            assert!(found.contains(part), "{part}: {found}");
        }
        let (file, text) = READINGS[6];
        let misspelt = text.replacen("one_of", "some_of", 1);
        assert!(parse::<Reading>((file, &misspelt)).is_err());
    }

    #[test]
    fn a_missing_list_is_named() {
        let mut reading: Reading = parse(READINGS[6]).expect("whole");
        reading.lists.remove("injuries").expect("there");
        let answers = reading.relations().map(|relation| &relation.answer);
        let error = check("drop", &reading.lists, answers).expect_err("no list");
        assert!(
            matches!(&error, PhrasesError::List { found, .. } if found == "injuries"),
            "{error}"
        );
    }
}
