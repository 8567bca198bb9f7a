//! The catalogue of domains by name.

mod error;

use std::path::PathBuf;

pub use self::error::CatalogueError;
use super::card::{self, Card, HUB, MINI};
use super::labels::LabelMap;
use super::mixture;
use super::suite::{Part, Suite};
use super::variant::{AT, Variant};
use crate::transfer::{Transfer, sources};

/// Every known domain.
#[derive(Debug, Clone)]
pub struct Catalogue {
    cards: Vec<Card>,
}

/// A transfer with its names resolved to cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The training domain, or the domains of a mixture; never empty.
    pub sources: Vec<&'a Card>,
    /// The evaluation domains; never empty, never a source, but possibly a variant of one.
    pub targets: Vec<Card>,
}

impl Catalogue {
    /// The catalogue of the bundled cards.
    pub fn bundled() -> Catalogue {
        Catalogue {
            cards: card::bundled(),
        }
    }

    /// The bundled cards, followed by a user's own.
    pub fn with(files: &[PathBuf]) -> Result<Catalogue, CatalogueError> {
        let mut catalogue = Catalogue::bundled();
        for file in files {
            let card = Card::read(file)?;
            if catalogue.cards.iter().any(|known| known.name == card.name) {
                return Err(CatalogueError::NameTaken {
                    file: file.display().to_string(),
                    name: card.name,
                });
            }
            catalogue.cards.push(card);
        }
        Ok(catalogue)
    }

    /// Every card, in the order of `list`.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The domain of this name, or its variant for `DOMAIN@VARIANT`.
    ///
    /// # Errors
    /// The domain or its variant is unknown.
    pub fn get(&self, name: &str) -> Result<Card, CatalogueError> {
        let Some((base, variant)) = name.split_once(AT) else {
            return self.plain(name).cloned();
        };
        let card = self.plain(base)?;
        match Variant::find(variant, card) {
            Some(variant) => Ok(card.changed(variant)),
            None => {
                let known: Vec<String> =
                    Variant::all(card).iter().map(Variant::to_string).collect();
                Err(CatalogueError::UnknownVariant {
                    domain: base.to_string(),
                    variant: variant.to_string(),
                    nearest: did_you_mean(variant, known.iter().map(String::as_str)),
                    known,
                })
            }
        }
    }

    /// The domain of this name; variants are not resolved.
    fn plain(&self, name: &str) -> Result<&Card, CatalogueError> {
        let unknown = || CatalogueError::Unknown {
            name: name.to_string(),
            nearest: did_you_mean(name, self.cards.iter().map(|card| card.name.as_str())),
        };
        (self.cards.iter())
            .find(|card| card.name == name)
            .ok_or_else(unknown)
    }

    /// The domain of this name, or the mixture if names are joined by `+`.
    ///
    /// # Errors
    /// A name is unknown.
    pub fn source(&self, name: &str) -> Result<Card, CatalogueError> {
        let members: Result<Vec<Card>, _> = sources(name).map(|name| self.get(name)).collect();
        Ok(mixture::card(&members?.iter().collect::<Vec<_>>()))
    }

    /// Every suite: the bundled one, all fetched data sets, and the groups of these listed in cards.
    pub fn suites(&self) -> Vec<&str> {
        let mut suites = vec![MINI, HUB];
        for name in self.cards.iter().flat_map(|card| &card.suites) {
            if !suites.contains(&name.as_str()) {
                suites.push(name);
            }
        }
        suites
    }

    /// The suite of this name; `cache` gives the Hub cache's folder.
    ///
    /// # Errors
    /// No suite has this name, or the cache folder can't be determined.
    pub fn suite<E: From<CatalogueError>>(
        &self,
        name: &str,
        cache: impl FnOnce() -> Result<PathBuf, E>,
    ) -> Result<Suite, E> {
        let part = match name {
            MINI => return Ok(Suite::Mini),
            HUB => Part::Whole,
            name if self.suites().contains(&name) => Part::Named(name.to_string()),
            name => {
                return Err(E::from(CatalogueError::UnknownSuite {
                    name: name.to_string(),
                    nearest: did_you_mean(name, self.suites()),
                    known: self.suites().into_iter().map(str::to_string).collect(),
                }));
            }
        };
        let cache = cache()?;
        Ok(Suite::Hub { cache, part })
    }

    /// The domains a suite can score on.
    pub fn within(&self, suite: &Suite) -> Vec<&Card> {
        self.cards
            .iter()
            .filter(|card| suite.target(card).is_ok())
            .collect()
    }

    /// Resolves a transfer's names; `all` becomes every other domain of the source's task in the suite.
    pub fn resolve(
        &self,
        transfer: &Transfer,
        suite: &Suite,
    ) -> Result<Resolved<'_>, CatalogueError> {
        let sources: Result<Vec<&Card>, _> = transfer
            .sources()
            .map(|name| self.within_suite(self.plain(name)?, suite))
            .collect();
        let sources = sources?;
        let source = sources[0];
        for other in &sources[1..] {
            if other.task != source.task {
                return Err(CatalogueError::MixedTasks {
                    first: source.name.clone(),
                    first_task: source.task,
                    other: other.name.clone(),
                    other_task: other.task,
                });
            }
            if !LabelMap::between(other, source).is_ok_and(|map| map.keeps_places()) {
                return Err(CatalogueError::MixedLabels {
                    first: source.name.clone(),
                    first_labels: source.labels.join(", "),
                    other: other.name.clone(),
                    other_labels: other.labels.join(", "),
                });
            }
        }
        let others: Vec<&Card> = self
            .within(suite)
            .into_iter()
            .filter(|card| card.task == source.task && !sources.contains(card))
            .filter(|card| LabelMap::between(source, card).is_ok())
            .collect();
        if transfer.is_to_all() {
            if others.is_empty() {
                return Err(CatalogueError::NoOthers {
                    name: transfer.source.clone(),
                    suite: suite.name(),
                });
            }
            return Ok(Resolved {
                sources,
                targets: others.into_iter().cloned().collect(),
            });
        }
        let mut targets = Vec::new();
        for name in &transfer.targets {
            let target = self.get(name)?;
            self.within_suite(&target, suite)?;
            if target.task != source.task {
                return Err(CatalogueError::TaskMismatch {
                    source_name: source.name.clone(),
                    source_task: source.task,
                    target: target.name.clone(),
                    target_task: target.task,
                    others: others.iter().map(|card| card.name.clone()).collect(),
                });
            }
            LabelMap::between(source, &target)?;
            targets.push(target);
        }
        Ok(Resolved { sources, targets })
    }

    /// The domain, if the suite has files for it.
    fn within_suite<'a>(&self, card: &'a Card, suite: &Suite) -> Result<&'a Card, CatalogueError> {
        let name = card.base();
        if !suite.splits(card).is_empty() {
            return Ok(card);
        }
        let within = self.within(suite);
        let has: Vec<String> = within.iter().map(|card| card.name.clone()).collect();
        if !suite.includes(card) {
            let belonging = self.cards.iter().filter(|card| suite.includes(card));
            return Err(CatalogueError::NotInSuite {
                name: name.to_string(),
                suite: suite.name(),
                has: belonging.map(|card| card.name.clone()).collect(),
                hint: format!("; --suite {HUB} has all fetched domains"),
            });
        }
        if has.is_empty() {
            return Err(CatalogueError::EmptySuite {
                suite: suite.name(),
                wanted: match suite {
                    Suite::Mini | Suite::Folder(_) => {
                        "DOMAIN/test.parquet or DOMAIN/validation.parquet"
                    }
                    Suite::Hub { .. } => "what `promptshift fetch DOMAIN` downloads",
                },
                place: suite.place(),
                hint: suite.hint_of(card, &[]),
            });
        }
        Err(CatalogueError::NotInSuite {
            name: name.to_string(),
            suite: suite.name(),
            has,
            hint: match suite {
                Suite::Mini => {
                    "; use --data DIR for real files of it, or --suite hub after fetching them"
                        .to_string()
                }
                Suite::Folder(_) => match suite.near_domain(card) {
                    Some(near) => format!("; {near}"),
                    None => format!("; put its file at {name}/test.parquet"),
                },
                Suite::Hub { .. } => format!("; `promptshift fetch {name}` downloads it"),
            },
        })
    }
}

impl Resolved<'_> {
    /// The transfer with every name expanded.
    pub fn transfer(&self) -> Transfer {
        Transfer {
            source: mixture::card(&self.sources).name,
            targets: (self.targets.iter())
                .map(|card| card.name.clone())
                .collect(),
        }
    }
}

/// The minimum similarity (Jaro–Winkler, in [0, 1]) at which a known name is suggested.
const SIMILAR: f64 = 0.8;
/// The maximum difference in similarity to the best name at which another name is suggested too.
const NEARLY_AS_SIMILAR: f64 = 0.03;

/// The known names most similar to the typed one, ignoring case; the best first.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let typed = name.to_lowercase();
    let mut similar: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&typed, &known.to_lowercase()), known))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .collect();
    similar.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = similar.first().map_or(0.0, |(similarity, _)| *similarity);
    similar
        .into_iter()
        .take_while(|(similarity, _)| *similarity >= best - NEARLY_AS_SIMILAR)
        .map(|(_, name)| name.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
            fs::write(path, b"").expect("a file");
        }
        folder
    }

    fn resolve(words: &str, files: &[&str]) -> Result<String, String> {
        let folder = folder_with(files);
        let suite = Suite::Folder(folder.path().to_path_buf());
        let transfer = Transfer::parse(&[words.to_string()]).map_err(|e| e.to_string())?;
        Catalogue::bundled()
            .resolve(&transfer, &suite)
            .map(|resolved| resolved.transfer().to_string())
            .map_err(|error| error.to_string())
    }

    const FILES: [&str; 10] = [
        "squad/train.parquet",
        "squad/validation.parquet",
        "squadshifts_amazon/test.parquet",
        "bioasq/test.parquet",
        "race/train.parquet",
        "mrpc/test.parquet",
        "rte/train.parquet",
        "cb/test.parquet",
        "mnli/train.parquet",
        "hans/validation.parquet",
    ];

    #[test]
    fn a_mixture_is_of_one_task_and_none_of_its_targets() {
        let resolve = |words| resolve(words, &FILES);
        assert_eq!(
            resolve("squad+race->all").as_deref(),
            Ok("squad+race->bioasq,squadshifts_amazon")
        );
        let mixed = resolve("squad+mrpc->bioasq").expect_err("two tasks");
        assert!(mixed.contains("'mrpc' is"), "{mixed}");
        let labels = resolve("rte+cb->rte").expect_err("is on both sides");
        assert!(labels.contains("same domain 'rte'"), "{labels}");
        let unknown = resolve("squad+rase->bioasq").expect_err("is unknown");
        assert!(unknown.contains("did you mean 'race'"), "{unknown}");
        let source = Catalogue::bundled().source("squad+race").expect("known");
        assert_eq!(source.name, "squad+race");
    }

    #[test]
    fn a_variant_has_the_files_of_its_domain() {
        assert_eq!(
            resolve("squad->squad@typos,bioasq@question-first", &FILES).as_deref(),
            Ok("squad->squad@typos,bioasq@question-first")
        );
        let card = Catalogue::bundled().get("squad@typos").expect("a variant");
        assert_eq!(
            (card.base(), card.title.as_str()),
            ("squad", "SQuAD (typos)")
        );
        let folder = folder_with(&FILES);
        let suite = Suite::Folder(folder.path().to_path_buf());
        assert_eq!(suite.splits(&card).len(), 2);
        assert_eq!(Suite::Mini.splits(&card).len(), 3);
    }

    #[test]
    fn an_unknown_domain_suggests_the_nearest() {
        let catalogue = Catalogue::bundled();
        let message = |name| catalogue.get(name).map_err(|error| error.to_string());
        let sqad = message("sqad").expect_err("is unknown");
        assert!(
            sqad.starts_with(
                "unknown domain 'sqad': did you mean 'squad'? `promptshift list domains`"
            ),
            "{sqad}"
        );
        let xyz = message("xyz").expect_err("is unknown");
        assert!(
            xyz.starts_with("unknown domain 'xyz': `promptshift list domains`"),
            "{xyz}"
        );
        for (typed, best) in [
            ("textbok", "textbookqa"),
            ("BioASQ", "bioasq"),
            ("relation-extraction", "relation_extraction"),
            ("mprc", "mrpc"),
        ] {
            let found = did_you_mean(typed, catalogue.cards().iter().map(|c| c.name.as_str()));
            assert_eq!(found.first().map(String::as_str), Some(best), "{typed}");
        }
    }

    #[test]
    fn a_user_s_domains_come_after_the_bundled_ones() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str| {
            let path = folder.path().join(format!("{name}.toml"));
            let text = include_str!("../../../../datasets/newsqa.toml")
                .replace("\"newsqa\"", &format!("\"{name}\""));
            fs::write(&path, text).expect("written");
            path
        };
        let catalogue = Catalogue::with(&[write("mine"), write("yours")]).expect("two cards");
        let last: Vec<&str> = catalogue
            .cards()
            .iter()
            .rev()
            .take(2)
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(last, ["yours", "mine"]);
        assert!(catalogue.get("squad").is_ok());
        let taken = Catalogue::with(&[write("squad")])
            .expect_err("a known name")
            .to_string();
        assert!(
            taken.contains("squad.toml: wanted a new name for the domain, found 'squad'"),
            "{taken}"
        );
        let twice = Catalogue::with(&[write("mine"), write("mine")])
            .expect_err("twice")
            .to_string();
        assert!(twice.contains("'mine', which exists already"), "{twice}");
    }

    #[test]
    fn all_means_every_other_scorable_domain_of_the_task() {
        assert_eq!(
            resolve("squad->all", &FILES).as_deref(),
            Ok("squad->bioasq,squadshifts_amazon")
        );
        assert_eq!(
            resolve("squad->squadshifts_amazon", &FILES).as_deref(),
            Ok("squad->squadshifts_amazon")
        );
        // Labels that the target's card maps to its own.
        assert_eq!(resolve("mnli->all", &FILES).as_deref(), Ok("mnli->cb,hans"));
    }

    #[test]
    fn a_transfer_that_cannot_be_run_says_why() {
        for (words, part) in [
            (
                "squad->bioask",
                "unknown domain 'bioask': did you mean 'bioasq'",
            ),
            ("sqad->bioasq", "unknown domain 'sqad'"),
            ("squad->duorc", "domain 'duorc' is not in the suite"),
            (
                "squad->duorc",
                "wanted one of squad, bioasq, mrpc, squadshifts_amazon, cb, hans",
            ),
            (
                "squad->mrpc",
                "'squad' is question answering and 'mrpc' is paraphrase",
            ),
            ("squad->mrpc", "such as bioasq, squadshifts_amazon"),
            ("mrpc->all", "'mrpc->all' has no target"),
            (
                "rte->cb",
                "'rte' has the labels entailment, not_entailment and 'cb' entailment,",
            ),
            (
                "squad->squad@typo",
                "'squad' has no variant 'typo': did you mean 'typos'? known: typos, lowercase, no-punctuation, \
                 question-first",
            ),
            ("squad->sqad@typos", "unknown domain 'sqad'"),
            ("squad->duorc@typos", "domain 'duorc' is not in the suite"),
            (
                "mnli+cb->rte",
                "'mnli' has the labels entailment, neutral, contradiction and 'cb' entailment, contradiction",
            ),
        ] {
            let message = resolve(words, &FILES).expect_err("cannot be run");
            assert!(message.contains(part), "{words}: {message}");
        }
        let message = resolve("squad->all", &["other/test.parquet"]).expect_err("no domain");
        assert!(
            message.contains("has no known domain: wanted DOMAIN/test.parquet"),
            "{message}"
        );
    }
}
