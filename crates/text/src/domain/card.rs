//! Cards: what a domain is, where it is published and how it is read. The cards in `datasets/<name>.toml` are
//! compiled in; a user's own card has the same format.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;

use super::language::Language;
use super::splits::Split;
use super::task::Task;
use super::variant::{AT, Variant};
use super::wording::spelling::Spelling;
use crate::hash::sha256;

/// The name of the suite of bundled miniatures, [`Suite::Mini`](super::suite::Suite::Mini).
pub const MINI: &str = "mini";
/// The name of the suite of all fetched data sets.
pub const HUB: &str = "hub";

/// Names of suites that a card's `suites` can't have.
const RESERVED: [&str; 2] = [MINI, HUB];

/// The default label column.
pub const LABEL: &str = "label";

/// The licence of a card that states none.
const NO_LICENCE: &str = "not stated";

/// The column layout of a domain's published files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schema {
    /// SQuAD's on the Hub, read by [`readers::question`](super::readers::question).
    Squad,
    /// MRQA's on the Hub, read by [`readers::question`](super::readers::question), or as first published, read by
    /// [`readers::mrqa_lines`](super::readers::mrqa_lines).
    Mrqa,
    /// Labelled texts, as GLUE's, SuperGLUE's and most classification sets on the Hub, read by
    /// [`readers::glue`](super::readers::glue).
    Glue,
    /// MultiRC's on the Hub, read by [`readers::multirc`](super::readers::multirc).
    Multirc,
    /// ReCoRD's on the Hub, read by [`readers::record`](super::readers::record).
    Record,
    /// WSC's on the Hub, read by [`readers::wsc`](super::readers::wsc).
    Wsc,
}

/// What is known about a domain without opening its files.
///
/// A user's card needs `name` and `task`, and for labelled texts also `texts` and `labels`. `Fields` documents the
/// defaults of the others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Card {
    /// The name on the command line and of its folder: `textbookqa`.
    pub name: String,
    /// The name in reports: `TextbookQA`.
    pub title: String,
    /// One line: what the real domain is and who published it.
    pub about: String,
    /// The task.
    pub task: Task,
    /// The columns of its published files.
    pub schema: Schema,
    /// The columns of the texts, in the order of the template; labelled texts only.
    pub texts: Vec<String>,
    /// Which text is the passage, if examples may share one. Without it, all texts together are the passage.
    /// Labelled texts only.
    pub passage: Option<String>,
    /// The class strings to generate, in the order of the class index; labelled texts only.
    pub labels: Vec<String>,
    /// The column of the labels; labelled texts only.
    pub label_column: String,
    /// If that column holds scores: a row whose score is at least this belongs to the second class, else to
    /// the first.
    pub threshold: Option<Threshold>,
    /// The value of that column in rows without a right answer, which are dropped and counted. Without it,
    /// such a row is an error.
    pub no_label: Option<i64>,
    /// How classes of other data sets map to this one's: `neutral` to `non-entailment`. See
    /// [`LabelMap`](super::labels::LabelMap).
    pub label_map: BTreeMap<String, String>,
    /// The language of its answers, which are normalised as in MLQA's official script; without one, as in
    /// SQuAD's. Questions on passages only.
    pub language: Option<Language>,
    /// The column by which examples are grouped in reports: demographics, a source, a kind of sentence.
    pub group: Option<String>,
    /// Alternative words for the classes, by name: `--verbalizer NAME`.
    pub verbalizers: BTreeMap<String, Spelling>,
    /// Names of its metrics, the main one first.
    pub metrics: Vec<String>,
    /// Its template and the public file it follows.
    pub template: String,
    /// The terms of use of the real domain.
    pub licence: String,
    /// What the bundled miniature of this name imitates, if there is one.
    pub miniature: Option<String>,
    /// Named groups of fetched data sets it belongs to: `mrqa`.
    pub suites: Vec<String>,
    /// Where it is published; absent for a user's own unpublished domain.
    pub source: Option<Source>,
    /// SHA-256 of a user's card file; absent for bundled cards.
    pub sha256: Option<String>,
    /// The change of the domain's rows; card files never have one, but the catalogue's `squad@typos` does.
    pub variant: Option<Variant>,
}

/// A score that separates two classes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Threshold(pub f64);

/// Cards only have finite thresholds, so they can be compared.
impl Eq for Threshold {}

/// A card as written in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: Option<String>,
    /// Defaults to the name.
    title: Option<String>,
    /// Defaults to a note that it is a user's own.
    about: Option<String>,
    task: Option<Task>,
    /// Defaults to the task's first schema.
    schema: Option<Schema>,
    texts: Option<Vec<String>>,
    passage: Option<String>,
    labels: Option<Vec<String>>,
    /// Defaults to [`LABEL`].
    label_column: Option<String>,
    threshold: Option<Threshold>,
    no_label: Option<i64>,
    #[serde(default)]
    label_map: BTreeMap<String, String>,
    group: Option<String>,
    language: Option<Language>,
    /// The languages of a bundled card that describes one domain per language; read by [`in_languages`].
    #[serde(rename = "languages")]
    _languages: Option<IgnoredAny>,
    #[serde(default)]
    verbalizers: BTreeMap<String, Spelling>,
    /// Defaults to the task's metrics; if given, it must equal them.
    metrics: Option<Vec<String>>,
    /// Ignored; the template is always that of the task's bundled domains.
    template: Option<String>,
    /// Defaults to [`NO_LICENCE`].
    licence: Option<String>,
    miniature: Option<String>,
    #[serde(default)]
    suites: Vec<String>,
    source: Option<Source>,
}

/// Required fields missing from a card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("wanted {} as well", .missing.join("; "))]
struct Incomplete {
    missing: Vec<&'static str>,
}

impl TryFrom<Fields> for Card {
    type Error = Incomplete;

    fn try_from(fields: Fields) -> Result<Card, Incomplete> {
        let schema = fields.schema.or(fields.task.map(|task| schemas(task)[0]));
        let labelled = schema.is_some_and(Schema::is_labelled);
        let missing: Vec<&str> = [
            (
                fields.name.is_none(),
                "name = \"…\", which is also the name of its folder",
            ),
            (
                fields.task.is_none(),
                "task = \"…\", such as \"qa\" or \"paraphrase\"",
            ),
            (
                labelled && fields.texts.is_none(),
                "texts = [\"…\", …], the columns of its texts",
            ),
            (
                labelled && fields.labels.is_none(),
                "labels = [\"…\", \"…\"], the answer for each class, from 0",
            ),
        ]
        .into_iter()
        .filter_map(|(is_missing, field)| is_missing.then_some(field))
        .collect();
        let (Some(name), Some(task), Some(schema), true) =
            (fields.name, fields.task, schema, missing.is_empty())
        else {
            return Err(Incomplete { missing });
        };
        Ok(Card {
            title: fields.title.unwrap_or_else(|| name.clone()),
            about: (fields.about).unwrap_or_else(|| format!("a user's own domain: {task}")),
            task,
            schema,
            texts: fields.texts.unwrap_or_default(),
            passage: fields.passage,
            labels: fields.labels.unwrap_or_default(),
            label_column: (fields.label_column).unwrap_or_else(|| LABEL.to_string()),
            threshold: fields.threshold,
            no_label: fields.no_label,
            label_map: fields.label_map,
            group: fields.group,
            language: fields.language,
            verbalizers: fields.verbalizers,
            metrics: (fields.metrics)
                .unwrap_or_else(|| task.metrics().map(str::to_string).to_vec()),
            template: (fields.template)
                .unwrap_or_else(|| "that of the bundled domains of its task".to_string()),
            licence: fields.licence.unwrap_or_else(|| NO_LICENCE.to_string()),
            miniature: fields.miniature,
            suites: fields.suites,
            source: fields.source,
            sha256: None,
            variant: None,
            name,
        })
    }
}

impl Schema {
    /// Whether rows of this schema are labelled texts, whose card must list text columns and classes.
    fn is_labelled(self) -> bool {
        matches!(self, Schema::Glue | Schema::Multirc)
    }
}

/// The schemas of a task's rows, the usual one first.
fn schemas(task: Task) -> &'static [Schema] {
    match task {
        Task::ExtractiveQa => &[Schema::Squad, Schema::Mrqa],
        Task::Paraphrase
        | Task::YesNoQa
        | Task::Entailment
        | Task::CauseOrEffect
        | Task::WordSense
        | Task::Sentiment
        | Task::Toxicity => &[Schema::Glue],
        Task::AnswerJudging => &[Schema::Multirc],
        Task::ClozeQa => &[Schema::Record],
        Task::Coreference => &[Schema::Wsc],
    }
}

/// Where a domain is published on the Hugging Face Hub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The data set's repository: `mrqa-workshop/mrqa`.
    pub repository: String,
    /// Its revision, if the files are not on the main one.
    pub revision: Option<String>,
    /// Its configuration.
    pub config: String,
    /// The value of the column `subset` in this domain's rows, if the files contain other domains as well.
    pub subset: Option<String>,
    /// Keys written from memory and not checked against the repository: `files`, `rows`.
    #[serde(default)]
    pub unverified: Vec<String>,
    /// Rows for training.
    pub train: Option<Published>,
    /// Rows for model selection, or for scoring if there is no labelled test set.
    pub validation: Option<Published>,
    /// Rows for scoring.
    pub test: Option<Published>,
}

/// A published split.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Its files, relative to the repository; empty if the split is published but not used.
    pub files: Vec<String>,
    /// The number of this domain's rows in them.
    pub rows: Option<usize>,
    /// SHA-256 of each file, in the same order, if known.
    #[serde(default)]
    pub sha256: Vec<String>,
}

/// Why a user's card is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardError {
    /// The file can't be read.
    #[error("{file}: wanted a domain's card, found: {found}")]
    Open {
        /// The file.
        file: String,
        /// The system's error.
        found: String,
    },
    /// The file is not a card, or contradicts itself.
    #[error("{file}: {found}")]
    Invalid {
        /// The file, or the name of a bundled card.
        file: String,
        /// What is wrong.
        found: String,
    },
}

impl Card {
    /// Reads a user's card.
    ///
    /// # Errors
    /// The file can't be read, is not a card, or contradicts itself.
    pub fn read(path: &Path) -> Result<Card, CardError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| CardError::Open {
            file: file.clone(),
            found: error.to_string(),
        })?;
        let card = Card::parse(&file, &text)?;
        if card.miniature.is_some() {
            return Err(CardError::Invalid {
                file,
                found: "wanted no 'miniature', which only bundled domains have".to_string(),
            });
        }
        if !languages(&text).is_empty() {
            return Err(CardError::Invalid {
                file,
                found: "wanted no 'languages', which only bundled domains have: a card for each"
                    .to_string(),
            });
        }
        Ok(Card {
            sha256: Some(sha256(text.as_bytes())),
            ..card
        })
    }

    /// Parses a card; `file` is its name in errors.
    fn parse(file: &str, text: &str) -> Result<Card, CardError> {
        let invalid = |found: String| CardError::Invalid {
            file: file.to_string(),
            found,
        };
        let card: Card = toml::from_str(text).map_err(|error| {
            // For an error that spans the whole file, toml's message quotes the entire file.
            match error.span() {
                Some(span) if span.len() < text.trim().len() => invalid(error.to_string()),
                _ => invalid(error.message().to_string()),
            }
        })?;
        match card.contradiction() {
            Some(found) => Err(invalid(found)),
            None => Ok(card),
        }
    }

    /// The domain's name without its variant; its files have this name.
    pub fn base(&self) -> &str {
        self.name.split(AT).next().unwrap_or_default()
    }

    /// This domain with changed rows: `squad@typos`.
    pub(super) fn changed(&self, variant: Variant) -> Card {
        Card {
            name: format!("{}{AT}{variant}", self.name),
            title: format!("{} ({variant})", self.title),
            variant: Some(variant),
            ..self.clone()
        }
    }

    /// The published files of a split.
    pub fn published(&self, split: Split) -> Option<&Published> {
        let source = self.source.as_ref()?;
        match split {
            Split::Train => source.train.as_ref(),
            Split::Validation => source.validation.as_ref(),
            Split::Test => source.test.as_ref(),
        }
    }

    /// The value of the column `subset` in its rows, if its files contain other domains as well.
    pub fn subset(&self) -> Option<&str> {
        self.source.as_ref()?.subset.as_deref()
    }

    /// The first contradiction between its fields, as error text.
    fn contradiction(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) || self.name == "all" {
            return Some(format!(
                "wanted a name of a-z, 0-9, '_' and '-' other than 'all', found '{}'",
                self.name
            ));
        }
        let taken = |name: &&String| name.is_empty() || RESERVED.contains(&name.as_str());
        if let Some(name) = self.suites.iter().find(taken) {
            return Some(format!(
                "wanted names of suites other than {}, found '{name}'",
                RESERVED.join(", ")
            ));
        }
        let schemas = schemas(self.task);
        if !schemas.contains(&self.schema) {
            return Some(format!(
                "wanted a schema of {schemas:?} for {}, found {:?}",
                self.task, self.schema
            ));
        }
        if self.language.is_some() && self.task != Task::ExtractiveQa {
            return Some(format!("wanted no language for {}", self.task));
        }
        if self.group.is_some() && matches!(self.schema, Schema::Record | Schema::Wsc) {
            return Some(format!("wanted no group for {:?}", self.schema));
        }
        if self.metrics != self.task.metrics() {
            return Some(format!(
                "wanted metrics = {:?}, as for {}, or none, found {:?}",
                self.task.metrics(),
                self.task,
                self.metrics
            ));
        }
        if let Some(found) = self.mislabelled() {
            return Some(found);
        }
        let misspelt = self.verbalizers.iter().find_map(|(name, spelling)| {
            let (key, wanted, found) = spelling.contradiction(&self.labels)?;
            Some(format!(
                "verbalizers.{name}.{key}: wanted {wanted}, found {found}"
            ))
        });
        if misspelt.is_some() {
            return misspelt;
        }
        Split::ALL.into_iter().find_map(|split| {
            let published = self.published(split)?;
            let (files, sums) = (published.files.len(), published.sha256.len());
            (sums != 0 && sums != files).then(|| {
                format!("{split}: wanted a sha256 for each of {files} files, found {sums}")
            })
        })
    }

    /// What is wrong with its texts and labels, as error text.
    fn mislabelled(&self) -> Option<String> {
        let labelled = self.schema.is_labelled();
        let (texts, labels) = (self.texts.len(), self.labels.len());
        let read_otherwise =
            self.label_column != LABEL || self.threshold.is_some() || self.no_label.is_some();
        if read_otherwise && self.schema != Schema::Glue {
            return Some(format!(
                "wanted no label_column, threshold or no_label for {:?}",
                self.schema
            ));
        }
        if !labelled {
            return (texts + labels + self.label_map.len() > 0 || self.passage.is_some())
                .then(|| format!("wanted no texts, passage or labels for {}", self.task));
        }
        let wanted: std::ops::RangeInclusive<usize> = match self.task {
            Task::Entailment => 2..=3,
            _ => 2..=2,
        };
        if texts == 0 || !wanted.contains(&labels) {
            return Some(format!(
                "wanted texts and {} to {} labels for {}, found {texts} texts and {labels} labels",
                wanted.start(),
                wanted.end(),
                self.task
            ));
        }
        if let Some(passage) = self
            .passage
            .as_ref()
            .filter(|one| !self.texts.contains(one))
        {
            return Some(format!(
                "wanted a passage among the texts {}, found '{passage}'",
                self.texts.join(", ")
            ));
        }
        if let Some(Threshold(threshold)) = self.threshold
            && (labels != 2 || !threshold.is_finite())
        {
            return Some(format!(
                "wanted two labels and a finite threshold between them, found {labels} and {threshold}"
            ));
        }
        let contradicts = |(other, own): &(&String, &String)| {
            !self.labels.contains(own) || self.labels.contains(other)
        };
        self.label_map.iter().find(contradicts).map(|(other, own)| {
            format!(
                "label_map: wanted labels of other domains, each mapped to one of {}, found {other} = \"{own}\"",
                self.labels.join(", ")
            )
        })
    }
}

/// Every bundled card, in the order of `list` and `all`.
pub fn bundled() -> Vec<Card> {
    BUNDLED.clone()
}

static BUNDLED: LazyLock<Vec<Card>> = LazyLock::new(|| {
    (CARDS.into_iter())
        .flat_map(|(name, text)| in_languages(name, text))
        .map(|card| card.expect("the cards are compiled in and tested"))
        .collect()
});

/// The cards of a bundled file: one, or one for each of its languages.
fn in_languages(name: &str, text: &str) -> Vec<Result<Card, CardError>> {
    match languages(text).as_slice() {
        [] => vec![Card::parse(name, text)],
        languages => (languages.iter())
            .map(|language| Card::parse(name, &text.replace("{language}", language)))
            .collect(),
    }
}

/// The `languages` of a card's file; none if it is not TOML.
fn languages(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Languages {
        #[serde(default)]
        languages: Vec<String>,
    }
    toml::from_str(text).map_or(Vec::new(), |Languages { languages }| languages)
}

/// Whether a bundled card has this name.
pub(super) fn is_bundled(name: &str) -> bool {
    BUNDLED.iter().any(|card| card.name == name)
}

macro_rules! cards {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../datasets/", $name, ".toml")))),*]
    };
}

const CARDS: [(&str, &str); 43] = cards![
    "squad",
    "textbookqa",
    "bioasq",
    "race",
    "relation_extraction",
    "duorc",
    "drop",
    "qqp",
    "mrpc",
    "squadshifts_new_wiki",
    "squadshifts_amazon",
    "squadshifts_nyt",
    "squadshifts_reddit",
    "mrqa_squad",
    "newsqa",
    "triviaqa",
    "searchqa",
    "hotpotqa",
    "natural_questions",
    "boolq",
    "cb",
    "copa",
    "multirc",
    "record",
    "rte",
    "wic",
    "wsc",
    "sst2",
    "imdb",
    "amazon_polarity",
    "yelp_polarity",
    "civil_comments",
    "tweet_offensive",
    "tweet_hate",
    "mnli",
    "mnli_mismatched",
    "snli",
    "anli_r1",
    "anli_r2",
    "anli_r3",
    "hans",
    "xquad",
    "xnli",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_read() {
        for (name, text) in CARDS {
            let cards = in_languages(name, text);
            let last = cards.last().expect("a card").as_ref();
            let card = last.expect("a card");
            match cards.len() {
                1 => assert_eq!(card.name, name),
                _ => assert!(card.name.starts_with(&format!("{name}_"))),
            }
            assert!(!card.metrics.is_empty() && !card.title.is_empty(), "{name}");
            assert!(card.source.is_some(), "{name} is published somewhere");
        }
    }

    #[test]
    fn some_domains_have_a_miniature() {
        let minis: Vec<String> = bundled()
            .into_iter()
            .filter(|card| card.miniature.is_some())
            .map(|card| card.name)
            .collect();
        assert_eq!(
            minis.join(" "),
            "squad textbookqa bioasq race relation_extraction duorc drop qqp mrpc sst2 imdb yelp_polarity mnli snli hans"
        );
    }

    #[test]
    fn a_card_in_languages_is_a_domain_in_each() {
        let cards = bundled();
        let of = |name: &str| {
            cards
                .iter()
                .filter(|card| card.name.starts_with(name))
                .count()
        };
        assert_eq!((of("xquad_"), of("xnli_")), (12, 15));
        let german = cards
            .iter()
            .find(|card| card.name == "xquad_de")
            .expect("a card");
        assert_eq!(german.language, Some(Language::De));
        let source = german.source.as_ref().expect("published");
        assert_eq!(source.config, "xquad.de");
        let files = german
            .published(Split::Validation)
            .map(|part| part.files.clone());
        assert_eq!(
            files,
            Some(vec![
                "xquad.de/validation-00000-of-00001.parquet".to_string()
            ])
        );
        assert!(is_bundled("xquad_de") && !is_bundled("xquad"));
        for (card, from, to, part) in [
            (
                CARDS[0].1,
                "schema =",
                "language = \"fr\"\nschema =",
                "found 'fr'",
            ),
            (
                CARDS[7].1,
                "schema =",
                "language = \"en\"\nschema =",
                "wanted no language",
            ),
        ] {
            let error = Card::parse("my.toml", &card.replacen(from, to, 1)).expect_err(to);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn published_files_are_found_by_split() {
        let cards = bundled();
        let find = |name| cards.iter().find(|card| card.name == name).expect("a card");
        let rows = |name, split| find(name).published(split).and_then(|part| part.rows);
        assert_eq!(rows("squad", Split::Train), Some(87_599));
        assert_eq!(rows("squad", Split::Test), None);
        assert_eq!(rows("textbookqa", Split::Test), Some(1_503));
        assert_eq!(find("duorc").subset(), Some("DuoRC.ParaphraseRC"));
        assert_eq!(find("squad").subset(), None);
        for card in &cards {
            let scored = [Split::Validation, Split::Test]
                .into_iter()
                .filter_map(|split| card.published(split))
                .any(|part| !part.files.is_empty());
            assert!(scored, "{} can be scored", card.name);
        }
    }

    #[test]
    fn a_card_that_contradicts_itself_is_refused() {
        let (_, qqp) = CARDS[7];
        let (_, squad) = CARDS[0];
        assert!(Card::parse("qqp", qqp).is_ok());
        for (card, from, to, part) in [
            (
                qqp,
                "\"paraphrase\"",
                "\"extractive_qa\"",
                "wanted a schema of [Squad, Mrqa]",
            ),
            (qqp, "title =", "titel =", "unknown field `titel`"),
            (qqp, ", \"duplicate\"", "", "found 2 texts and 1 labels"),
            (qqp, "name = \"qqp\"", "name = \"a/b\"", "found 'a/b'"),
            (qqp, "name = \"qqp\"", "name = \"all\"", "other than 'all'"),
            (qqp, "labels =", "passage = \"x\"\nlabels =", "found 'x'"),
            (
                squad,
                "[\"mrqa\"]",
                "[\"mrqa\", \"hub\"]",
                "other than mini, hub, found 'hub'",
            ),
            (
                squad,
                "schema =",
                "texts = [\"a\"]\nschema =",
                "wanted no texts",
            ),
            (
                squad,
                "rows = 87_599",
                "sha256 = [\"0\", \"1\"]",
                "for each of 1 files, found 2",
            ),
            (
                qqp,
                "metrics =",
                "label_map = { same = \"equal\" }\nmetrics =",
                "label_map: wanted labels of other domains, each mapped to one of not_duplicate, duplicate, found same",
            ),
            (
                qqp,
                "metrics =",
                "label_map = { duplicate = \"not_duplicate\" }\nmetrics =",
                "found duplicate = \"not_duplicate\"",
            ),
            (
                qqp,
                "metrics =",
                "threshold = nan\nmetrics =",
                "wanted two labels and a finite threshold",
            ),
            (
                squad,
                "schema =",
                "no_label = -1\nschema =",
                "wanted no label_column, threshold or no_label for Squad",
            ),
        ] {
            assert!(card.contains(from), "{from}");
            let error = Card::parse("my.toml", &card.replace(from, to)).expect_err(from);
            let message = error.to_string();
            assert!(
                message.starts_with("my.toml: ") && message.contains(part),
                "{message}"
            );
        }
    }

    #[test]
    fn a_card_needs_only_name_and_task() {
        let card = Card::parse("my.toml", "name = \"mine\"\ntask = \"question-answering\"");
        let card = card.expect("a name and a task are enough");
        assert_eq!(
            (card.task, card.schema),
            (Task::ExtractiveQa, Schema::Squad)
        );
        assert_eq!(
            (card.title.as_str(), card.licence.as_str()),
            ("mine", NO_LICENCE)
        );
        assert_eq!(card.metrics, ["f1", "exact_match"]);
        let pairs =
            "name = \"mine\"\ntask = \"nli\"\ntexts = [\"a\", \"b\"]\nlabels = [\"no\", \"yes\"]";
        let card = Card::parse("my.toml", pairs).expect("labelled texts");
        assert_eq!((card.task, card.schema), (Task::Entailment, Schema::Glue));
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let message = |text: &str| Card::parse("my.toml", text).expect_err(text).to_string();
        for (text, parts) in [
            ("", &["name = ", "task = "][..]),
            ("title = \"Mine\"", &["name = ", "task = "]),
            (
                "task = \"paraphrase\"",
                &["name = ", "texts = ", "labels = "],
            ),
            (
                "name = \"mine\"\ntask = \"nli\"\ntexts = [\"a\"]",
                &["labels = "],
            ),
        ] {
            let message = message(text);
            assert!(message.starts_with("my.toml: wanted "), "{message}");
            assert_eq!(message.matches(" = ").count(), parts.len(), "{message}");
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
        let unknown = message("name = \"mine\"\ntask = \"summarization\"");
        assert!(
            unknown.contains("found 'summarization'")
                && unknown.contains("also qa, question_answering"),
            "{unknown}"
        );
        let metrics = message("name = \"mine\"\ntask = \"qa\"\nmetrics = [\"rouge\"]");
        assert!(
            metrics.contains("wanted metrics = [\"f1\", \"exact_match\"]"),
            "{metrics}"
        );
    }

    #[test]
    fn a_user_s_card_is_read_from_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("my.toml");
        let absent = Card::read(&path).expect_err("no file").to_string();
        assert!(
            absent.contains("my.toml: wanted a domain's card, found: "),
            "{absent}"
        );
        let (_, boolq) = CARDS[19];
        std::fs::write(&path, boolq.replace("\"boolq\"\n", "\"mine\"\n")).expect("written");
        let card = Card::read(&path).expect("a card");
        assert_eq!(card.name, "mine");
        assert_eq!(card.sha256.map(|sha256| sha256.len()), Some(64));
        std::fs::write(&path, CARDS[0].1).expect("written");
        let message = Card::read(&path).expect_err("a miniature").to_string();
        assert!(message.contains("wanted no 'miniature'"), "{message}");
    }
}
