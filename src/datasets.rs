//! The rows that a plan works on: its source's and its targets'.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use crate::plan::Plan;
use promptshift_numbers::leakage::{self, Seen};
use promptshift_numbers::recipe::Limits;
use promptshift_numbers::record::leakage::Leakage;
use promptshift_numbers::record::{Role, Setting};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::batch::{Encoding, encode, readings};
use promptshift_text::domain::card::Card;
use promptshift_text::domain::catalogue::{Catalogue, CatalogueError};
use promptshift_text::domain::labels::LabelMap;
use promptshift_text::domain::load;
use promptshift_text::domain::mixture;
use promptshift_text::domain::sampling::Limit;
use promptshift_text::domain::splits::{DomainSplits, SplitSource};
use promptshift_text::domain::suite::{DomainError, Suite};
use promptshift_text::domain::{AnswerForm, Example, Split, fingerprint};

/// Why rows are not available.
#[derive(Debug, thiserror::Error)]
pub enum DatasetsError {
    /// A domain does not exist.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A domain's rows can't be read.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// A target has no rows to tune on.
    #[error("--tune-on: '{target}' has no rows to tune on: {error}")]
    NoFewShotPool {
        /// The target.
        target: String,
        /// Why.
        error: Box<DomainError>,
    },
    /// A target's labels can't be matched to the source's.
    #[error(
        "--tune-on: '{target}' has the labels {target_labels} and the source {source_labels}: wanted the source's, \
         in the same order, or as many others"
    )]
    FewShotLabels {
        /// The target.
        target: String,
        /// Its labels.
        target_labels: String,
        /// The source's.
        source_labels: String,
    },
    /// A target has too few rows to tune on.
    #[error("--tune-on {wanted}: '{target}' has {found} rows to tune on")]
    SmallFewShotPool {
        /// The target.
        target: String,
        /// The largest K.
        wanted: usize,
        /// Its training rows that share nothing with its test rows.
        found: usize,
    },
}

/// The rows of a plan, read and checked before anything is trained.
pub struct Datasets {
    pub(crate) source: Source,
    /// Source first.
    pub(crate) tests: Vec<TestSet>,
    /// Rows for few-shot tuning, one pool for each target; empty without `--tune-on`.
    pub(crate) few_shot_pools: Vec<FewShotPool>,
    /// The report's notes on how rows were chosen.
    pub notes: Vec<String>,
    counted: RefCell<Vec<Counted>>,
}

/// Statistics of rows under a tokenizer (by its SHA-256) and limits.
type Counted = (String, Limits, Vec<Leakage>);

/// The rows that training may use.
pub(crate) struct Source {
    /// For a mixture, its combined card.
    pub(crate) card: Card,
    pub(crate) train: Rows,
    pub(crate) validation: Rows,
    hashes: OnceLock<SourceHashes>,
}

/// What a training on a source depends on: SHA-256 of each domain's rows.
#[derive(Debug, Clone)]
pub(crate) struct SourceHashes {
    /// Of the training rows, as trained on.
    pub(crate) train: Vec<String>,
    /// Of the validation rows, as scored.
    pub(crate) validation: Vec<String>,
}

impl Source {
    /// The rows' hashes, computed once.
    pub(crate) fn hashes(&self) -> &SourceHashes {
        self.hashes.get_or_init(|| {
            let of = |pool: &Rows, hash: fn(&[Example]) -> String| {
                pool.members().into_iter().map(hash).collect()
            };
            SourceHashes {
                train: of(&self.train, fingerprint::of_training),
                validation: of(&self.validation, fingerprint::of_scoring),
            }
        })
    }
}

/// Rows that are only ever scored.
pub(crate) struct TestSet {
    pub(crate) card: Card,
    pub(crate) role: Role,
    pub(crate) rows: Rows,
}

/// A target's training rows, from which few-shot examples are drawn.
pub(crate) struct FewShotPool {
    /// With the source's labels.
    pub(crate) examples: Vec<Example>,
    domain: String,
    sha256: String,
    note: Option<String>,
}

/// One split: the rows of a domain, or of a mixture's domains in sequence.
pub(crate) struct Rows {
    pub(crate) examples: Vec<Example>,
    /// One for each domain.
    pub(crate) parts: Vec<DomainRows>,
    inputs: OnceLock<Vec<String>>,
}

/// One domain's rows within a split.
pub(crate) struct DomainRows {
    pub(crate) card: Card,
    /// Their indices.
    pub(crate) rows: Range<usize>,
    sha256: String,
    note: Option<String>,
}

impl Rows {
    /// The rows that `load` returns for each domain. With several domains, example names are prefixed by the domain, as
    /// two domains may use one name.
    fn of<E>(
        members: &[Card],
        mut load: impl FnMut(&Card) -> Result<load::Rows, E>,
    ) -> Result<Self, E> {
        let mut pool = Rows {
            examples: Vec::new(),
            parts: Vec::new(),
            inputs: OnceLock::new(),
        };
        for card in members {
            let mut loaded = load(card)?;
            if members.len() > 1 {
                for example in &mut loaded.examples {
                    example.id = format!("{}/{}", card.name, example.id);
                }
            }
            let start = pool.examples.len();
            pool.examples.append(&mut loaded.examples);
            pool.parts.push(DomainRows {
                card: card.clone(),
                rows: start..pool.examples.len(),
                sha256: loaded.sha256,
                note: loaded.note,
            });
        }
        Ok(pool)
    }

    /// The same number of rows of each domain, that of the smallest, so that a mean over rows is the mean of
    /// the domains' means.
    fn of_equal<E>(
        members: &[Card],
        mut load: impl FnMut(&Card, Option<usize>) -> Result<load::Rows, E>,
    ) -> Result<Self, E> {
        let pool = Rows::of(members, |card| load(card, None))?;
        let rows = pool.parts.iter().map(|part| part.rows.len());
        match rows.clone().min() {
            Some(fewest) if rows.clone().any(|rows| rows > fewest) => {
                Rows::of(members, |card| load(card, Some(fewest)))
            }
            _ => Ok(pool),
        }
    }

    /// The rows at these indices, ascending.
    pub(crate) fn at(&self, places: &[usize]) -> Rows {
        let mut pool = Rows {
            examples: places.iter().map(|&at| self.examples[at].clone()).collect(),
            parts: Vec::new(),
            inputs: OnceLock::new(),
        };
        for part in &self.parts {
            let before = |end: usize| places.partition_point(|&at| at < end);
            let rows = before(part.rows.start)..before(part.rows.end);
            if !rows.is_empty() {
                pool.parts.push(DomainRows {
                    card: part.card.clone(),
                    rows,
                    sha256: part.sha256.clone(),
                    note: None,
                });
            }
        }
        pool
    }

    /// The hash of each row's input, computed once.
    pub(crate) fn inputs(&self) -> &[String] {
        let all = || self.examples.iter().map(fingerprint::of_input).collect();
        self.inputs.get_or_init(all)
    }

    /// Each domain's examples.
    pub(crate) fn members(&self) -> Vec<&[Example]> {
        let of_part = |part: &DomainRows| &self.examples[part.rows.clone()];
        self.parts.iter().map(of_part).collect()
    }
}

impl Datasets {
    /// Reads the rows of a plan.
    ///
    /// # Errors
    /// A domain is unknown, absent or damaged.
    pub fn read(plan: &Plan, catalogue: &Catalogue) -> Result<Self, DatasetsError> {
        let (suite, setting): (&Suite, &Setting) = (&plan.suite, &plan.setting);
        let resolved = catalogue.resolve(&setting.transfer(), suite)?;
        let card = mixture::card(&resolved.sources);
        let members: Vec<Card> = (resolved.sources.iter())
            .map(|member| mixture::member(member, &card))
            .collect();
        let load = |card: &Card, portion: &SplitSource, rows: Option<usize>, form: AnswerForm| {
            suite.load(card, portion, Limit::at_most(rows), form, &setting.wording)
        };
        let of_training = setting.answers.of_training();
        let to_learn = |card: &Card, portion: &SplitSource, rows: Option<usize>| {
            load(card, portion, rows, of_training)
        };
        let of_source = |card: &Card, portion: fn(DomainSplits) -> SplitSource, rows, form| {
            load(card, &portion(suite.source(card)?), rows, form)
        };
        let scored = |portion: fn(DomainSplits) -> SplitSource, most: Option<usize>, form| {
            let rows = |fewest: Option<usize>| fewest.or(most);
            Rows::of_equal(&members, |card, fewest| {
                of_source(card, portion, rows(fewest), form)
            })
        };
        let source = Source {
            train: Rows::of(&members, |card| {
                of_source(card, |splits| splits.train, setting.train_rows, of_training)
            })?,
            validation: scored(
                |splits| splits.validation,
                setting.validation_rows.or(setting.eval_rows),
                of_training,
            )?,
            hashes: OnceLock::new(),
            card,
        };
        let mut tests = vec![TestSet {
            card: source.card.clone(),
            role: Role::Source,
            rows: scored(|splits| splits.test, setting.eval_rows, setting.answers)?,
        }];
        for card in resolved.targets {
            let is_of_source = resolved.sources.iter().any(|one| one.name == card.base());
            // A variant of a source uses the source's own test rows.
            let portion = match is_of_source {
                true => suite.source(&card)?.test,
                false => suite.target(&card)?,
            };
            let rows = Rows::of(std::slice::from_ref(&card), |card| {
                load(card, &portion, setting.eval_rows, setting.answers)
            })?;
            tests.push(TestSet {
                card,
                role: Role::Target,
                rows,
            });
        }
        let most = (setting.tune_on.as_ref()).and_then(|tune_on| tune_on.examples.last());
        let few_shot_pools = match most {
            Some(&most) => (tests[1..].iter())
                .map(|test| FewShotPool::read(test, &source.card, most, suite, &to_learn))
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let parts = [&source.train, &source.validation]
            .into_iter()
            .chain(tests.iter().map(|test| &test.rows))
            .flat_map(|pool| &pool.parts);
        let of_parts =
            parts.filter_map(|part| Some(format!("{}: {}", part.card.name, part.note.as_ref()?)));
        let of_pools = (few_shot_pools.iter())
            .filter_map(|one| Some(format!("{}: {}", one.domain, one.note.as_ref()?)));
        let notes = mixed(plan, &source).into_iter();
        let notes = notes.chain(of_parts).chain(of_pools).collect();
        Ok(Datasets {
            source,
            tests,
            few_shot_pools,
            notes,
            counted: RefCell::default(),
        })
    }

    /// The targets' test rows.
    pub(crate) fn targets(&self) -> &[TestSet] {
        &self.tests[1..]
    }

    /// How many tokens training and evaluation will process.
    pub fn tokens(&self, backbone: &Backbone, limits: &Limits) -> TokenCounts {
        let count = |rows: &Rows| {
            let counted = &rows.examples[..rows.examples.len().min(COUNTED_ROWS)];
            let encodings = encode(counted, &backbone.tokenizer, limits);
            let scale = rows.examples.len() as f64 / counted.len().max(1) as f64;
            let sum =
                |of: fn(&Encoding) -> usize| scale * encodings.iter().map(of).sum::<usize>() as f64;
            (
                sum(|encoding| encoding.input.len()),
                sum(|encoding| encoding.target.len()),
            )
        };
        let train = count(&self.source.train);
        let rows = self.source.train.examples.len() as f64;
        let validation = count(&self.source.validation);
        let evaluated = self.tests.iter().map(|test| count(&test.rows));
        let evaluated = evaluated.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        TokenCounts {
            train_input: train.0 / rows,
            train_target: train.1 / rows,
            evaluated_inputs: evaluated.0,
            evaluated_outputs: evaluated.1,
            validation_inputs: validation.0,
            validation_outputs: validation.1,
        }
    }

    /// Statistics of the rows: source training, source validation, then the evaluated splits. Computed once for each
    /// tokenizer and limits, since all rows are tokenized.
    pub fn leakage(&self, backbone: &Backbone, limits: &Limits) -> Vec<Leakage> {
        let mut counted = self.counted.borrow_mut();
        let tokenizer = &backbone.tokenizer_sha256;
        let known = counted
            .iter()
            .find(|(of, within, _)| of == tokenizer && within == limits);
        if let Some((_, _, leakage)) = known {
            return leakage.clone();
        }
        let leakage = self.count(backbone, limits);
        counted.push((tokenizer.clone(), *limits, leakage.clone()));
        leakage
    }

    fn count(&self, backbone: &Backbone, limits: &Limits) -> Vec<Leakage> {
        let seen = Seen::of(&self.source.train.examples);
        self.pools()
            .flat_map(|(split, pool)| {
                let seen = (split != Split::Train).then_some(&seen);
                pool.parts.iter().map(move |part| {
                    let examples = &pool.examples[part.rows.clone()];
                    let readings = readings(examples, &backbone.tokenizer, limits);
                    leakage::count(&part.card.name, split, examples, &readings, seen)
                })
            })
            .collect()
    }

    /// Source training, source validation, then the evaluated splits.
    fn pools(&self) -> impl Iterator<Item = (Split, &Rows)> {
        let source = [
            (Split::Train, &self.source.train),
            (Split::Validation, &self.source.validation),
        ];
        let tests = self.tests.iter().map(|test| (Split::Test, &test.rows));
        source.into_iter().chain(tests)
    }

    /// SHA-256 of every file read, by `domain/split`, and of users' cards, by `domain/card`.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        let parts = self
            .pools()
            .flat_map(|(split, pool)| pool.parts.iter().map(move |part| (split, part)));
        parts
            .flat_map(|(split, part)| {
                let name = &part.card.name;
                let card = part.card.sha256.clone();
                [
                    Some((format!("{name}/{split}"), part.sha256.clone())),
                    card.map(|sha256| (format!("{name}/card"), sha256)),
                ]
            })
            .flatten()
            .chain(self.few_shot_pools.iter().map(FewShotPool::hash))
            .collect()
    }
}

impl FewShotPool {
    /// A target's training rows, without those that share a passage or question with its test rows.
    fn read(
        test: &TestSet,
        source: &Card,
        most: usize,
        suite: &Suite,
        load: &impl Fn(&Card, &SplitSource, Option<usize>) -> Result<load::Rows, DomainError>,
    ) -> Result<Self, DatasetsError> {
        if !LabelMap::between(source, &test.card).is_ok_and(|map| map.keeps_places()) {
            return Err(DatasetsError::FewShotLabels {
                target: test.card.name.clone(),
                target_labels: test.card.labels.join(", "),
                source_labels: source.labels.join(", "),
            });
        }
        let card = mixture::member(&test.card, source);
        let target = || test.card.name.clone();
        let splits = suite
            .source(&card)
            .map_err(|error| DatasetsError::NoFewShotPool {
                target: target(),
                error: Box::new(error),
            })?;
        let mut rows = load(&card, &splits.train, None)?;
        let tested = Seen::of(&test.rows.examples);
        let before = rows.examples.len();
        rows.examples.retain(|example| !tested.has_any_of(example));
        let found = rows.examples.len();
        if found < most {
            return Err(DatasetsError::SmallFewShotPool {
                target: target(),
                wanted: most,
                found,
            });
        }
        let shared = (found < before).then(|| {
            format!(
                "{} of {before} rows of train are not used for tuning: test has their passage or \
                 question",
                before - found
            )
        });
        let notes: Vec<String> = rows.note.into_iter().chain(shared).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(FewShotPool {
            examples: rows.examples,
            domain: target(),
            sha256: rows.sha256,
            note,
        })
    }

    fn hash(&self) -> (String, String) {
        (
            format!("{}/{}", self.domain, Split::Train),
            self.sha256.clone(),
        )
    }
}

/// A note on how a mixture's domains are mixed; `None` for a single source.
fn mixed(plan: &Plan, source: &Source) -> Option<String> {
    let counts: Vec<usize> = source.train.members().iter().map(|m| m.len()).collect();
    if counts.len() < 2 {
        return None;
    }
    let mixing = plan.setting.mixing.unwrap_or_default();
    let shares = mixing.shares(&counts);
    let named: Vec<String> = (source.train.parts.iter().zip(&counts).zip(shares))
        .map(|((part, rows), share)| format!("{share} of {rows} of {}", part.card.name))
        .collect();
    Some(format!(
        "{}: an epoch of training takes {} ({} mixing); validation and test have the same number of each",
        source.card.name,
        named.join(", "),
        mixing
    ))
}

/// Rows of a split whose tokens are counted; the count is extrapolated to the others.
const COUNTED_ROWS: usize = 1_000;

/// Approximate token counts of a plan's training and evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenCounts {
    /// Mean length of a training input.
    pub train_input: f64,
    /// Mean length of a training target.
    pub train_target: f64,
    /// Total length of the test inputs.
    pub evaluated_inputs: f64,
    /// Total length of the test targets.
    pub evaluated_outputs: f64,
    /// Total length of the source's validation inputs.
    pub validation_inputs: f64,
    /// Total length of the source's validation targets.
    pub validation_outputs: f64,
}
