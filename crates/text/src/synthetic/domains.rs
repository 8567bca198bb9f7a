//! The domains of the miniature suite, most of them defined by a file of phrases, `domains/NAME.toml`.
//!
//! The file of a reading domain is a [`Reading`], of a domain of sentence pairs a [`Pairing`], of a domain of
//! reviews a [`Reviewing`]; domains of inference use the phrases of a reading domain. `domains/lists.toml`
//! holds shared lists. After changing phrases, regenerate the bundled parquet files with
//! `cargo run -- datasets`.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;

use super::answers::{Answer, Lists};
use super::grammar::Reading;
use super::inference::{Classes, Inferring};
use super::pairs::Pairing;
use super::reviews::Reviewing;

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
    /// Reviews with a label.
    Reviews(Reviewing),
    /// Passages and sentences that they entail or not.
    Inference(Inferring),
}

impl Domain {
    /// How the domain differs from the others.
    pub fn about(&self) -> &str {
        match &self.task {
            Task::Reading(reading) => &reading.about,
            Task::Pairs(pairing) => &pairing.about,
            Task::Reviews(reviewing) => &reviewing.about,
            Task::Inference(inferring) => inferring.about,
        }
    }

    /// The text columns of a labelled data set.
    pub(super) fn columns(&self) -> Vec<&str> {
        match &self.task {
            Task::Reading(_) => Vec::new(),
            Task::Pairs(pairing) => vec![&pairing.columns.0, &pairing.columns.1],
            Task::Reviews(reviewing) => vec![&reviewing.column],
            Task::Inference(_) => vec!["premise", "hypothesis"],
        }
    }

    /// The minimum and maximum number of facts of a passage; `None` for labelled texts.
    pub fn facts(&self) -> Option<(usize, usize)> {
        match &self.task {
            Task::Reading(reading) => Some(reading.facts),
            Task::Pairs(_) | Task::Reviews(_) | Task::Inference(_) => None,
        }
    }
}

/// Every domain: the source `squad` first, then the reading targets, pairs, reviews and inference.
pub fn domains() -> &'static [Domain] {
    &DOMAINS
}

/// The reading domain with this name.
///
/// # Panics
/// There is none; tests cover every bundled name.
pub(super) fn reading(name: &str) -> &'static Reading {
    let found = domains().iter().find(|domain| domain.name == name);
    match found.map(|domain| &domain.task) {
        Some(Task::Reading(reading)) => reading,
        _ => panic!("no reading domain is called {name}"),
    }
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
const REVIEWINGS: [(&str, &str); 3] = [file!("imdb"), file!("yelp_polarity"), file!("sst2")];
const INFERRINGS: [(&str, Inferring); 3] = [
    (
        "mnli",
        Inferring {
            about: "Short entries of the encyclopedia, and sentences that they entail, contradict or leave open.",
            world: "squad",
            classes: Classes::Three,
        },
    ),
    (
        "snli",
        Inferring {
            about: "School stories, and sentences that they entail, contradict or leave open.",
            world: "race",
            classes: Classes::Three,
        },
    ),
    (
        "hans",
        Inferring {
            about: "Plots of films, and sentences made of their words that they entail or not.",
            world: "duorc",
            classes: Classes::Two,
        },
    ),
];
const SHARED: (&str, &str) = file!("lists");

static DOMAINS: LazyLock<Vec<Domain>> = LazyLock::new(|| {
    bundled().unwrap_or_else(|error| panic!("the files are compiled in and tested: {error}"))
});

/// Why a file of phrases is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PhrasesError {
    /// It is not TOML, or has the wrong fields.
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
    let reviewings = REVIEWINGS.map(|file| {
        let mut reviewing: Reviewing = parse(file)?;
        reviewing.lists.extend(shared.clone());
        check(file.0, &reviewing.lists, reviewing.answers())?;
        Ok((file.0, Task::Reviews(reviewing)))
    });
    let inferrings = INFERRINGS.map(|(name, inferring)| Ok((name, Task::Inference(inferring))));
    let domains = readings.into_iter().chain(pairings);
    let domains = domains.chain(reviewings).chain(inferrings);
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

/// Checks that every list referred to by an answer exists.
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
        let files = READINGS.len() + PAIRINGS.len() + REVIEWINGS.len();
        assert_eq!(names.len(), files + INFERRINGS.len());
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
