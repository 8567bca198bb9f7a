//! The results of a study, by method and domain, which all sections of a report use.

mod of_records;

pub use of_records::{clamped, differences};

use std::cmp::Reverse;

use serde::Serialize;

use crate::baselines::{Above, Standing, floor_standing};
use crate::cost::Cost;
use crate::document::MISSING;
use crate::number::count;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Role;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::domain::{AnswerForm, Split, Task};

/// The results of one study. Scores are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// The domain that was trained on, or all domains of a mixture: `squad+newsqa`.
    pub source: String,
    /// How the domains of a mixture are mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// The domains other than the source that initial values were tuned on
    /// ([`Recipe::before`](promptshift_numbers::recipe::Recipe::before)).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// The domains that were only evaluated.
    pub targets: Vec<String>,
    /// The backbone.
    pub model: String,
    /// The backbone, with the form of its frozen weights if it is not the usual one.
    #[serde(skip)]
    pub model_title: String,
    pub suite: String,
    pub task: Task,
    /// How right answers were written when predictions were compared with them.
    pub answers: AnswerForm,
    /// How examples were worded and answers read.
    #[serde(skip_serializing_if = "Wording::is_default")]
    pub wording: Wording,
    /// The main metric's name in records.
    pub metric: &'static str,
    /// The other metric's name in records.
    pub second_metric: &'static str,
    /// The number of resamples for each interval.
    pub resamples: usize,
    /// Source first, then targets.
    pub domains: Vec<Domain>,
    /// The methods that have records, in the order of [`Method::ALL`].
    pub methods: Vec<MethodResult>,
    /// The seeds of model tuning whose runs have no predictions at a checkpoint that another run has, or at any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_checkpoints: Vec<u64>,
    /// Tuned cells that were started and have no record.
    pub unfinished: Vec<UnfinishedRun>,
}

/// One evaluated domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Domain {
    pub name: String,
    /// Source or target.
    pub role: Role,
    /// The scored split.
    pub split: Split,
    /// Examples scored.
    pub examples: usize,
    /// The number of their passages.
    pub passages: usize,
    /// Inputs longer than the limit.
    pub cut_inputs: usize,
    /// The recorded floor: the score of a random fact of the passage, or of the label that is most common in source
    /// training.
    #[serde(rename = "floor")]
    pub recorded_floor: Option<f64>,
    /// The score of the best constant answer on these rows; absent without classes.
    pub best_constant: Option<f64>,
}

impl Domain {
    /// The floor: the score of the best constant answer, or of a random fact of the passage.
    pub fn floor(&self) -> Option<f64> {
        self.best_constant.or(self.recorded_floor)
    }
}

/// A run that was started and has no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedRun {
    pub method: Method,
    pub seed: u64,
    pub end: End,
}

/// One method over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodResult {
    pub method: Method,
    /// Its name in tables and sentences: `prompt tuning`, `mine (tuned elsewhere)`.
    pub title: String,
    /// Its seeds, ascending.
    pub seeds: Vec<u64>,
    /// Its scores on each of [`Results::domains`].
    pub scores: Vec<DomainScore>,
    /// The mean of the targets' scores.
    pub mean_target: Option<Estimate>,
    /// The mean of the targets' gaps.
    pub mean_gap: Option<Estimate>,
    /// Its source score minus the untuned backbone's, if that has a record.
    pub above_untuned: Option<Estimate>,
    pub cost: Option<Cost>,
}

/// One method on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainScore {
    /// Mean over seeds of the main metric.
    pub score: Estimate,
    /// Standard deviation over seeds (n - 1).
    pub deviation: Option<f64>,
    /// The main metric of each seed.
    pub by_seed: Vec<f64>,
    /// Source score minus this; absent for the source.
    pub gap: Option<Estimate>,
    /// The score minus that of each baseline: the untuned backbone (except for itself), constant answers, a random
    /// fact.
    pub above: Vec<Above>,
    /// Mean over seeds of the other metric.
    pub second: f64,
    /// Its standard deviation over seeds.
    pub second_deviation: Option<f64>,
}

/// The methods that the paper compares.
const COMPARED: [Method; 2] = [Method::Prompt, Method::Model];

/// See [`Results::is_of_many`].
const MANY: usize = 6;

/// The number of methods that figures show if there are too many for all of them.
const FEATURED: usize = 4;

impl Results {
    /// A method's result, if it has records.
    pub fn method(&self, method: Method) -> Option<&MethodResult> {
        self.methods.iter().find(|result| result.method == method)
    }

    /// A method's name in tables and sentences.
    pub fn title(&self, method: Method) -> &str {
        let result = self.method(method);
        result.map_or(method.title(), |result| &result.title)
    }

    /// The methods to report on, in the order of [`Method::ALL`]: model tuning, with which the others are compared, with
    /// or without records, and every other tuned method that has records or was planned.
    pub fn reported(&self) -> Vec<Method> {
        let is_reported = |method: &Method| match method {
            Method::Untuned => false,
            Method::Model => true,
            other => self.method(*other).is_some() || self.without_record(*other).next().is_some(),
        };
        Method::ALL.into_iter().filter(is_reported).collect()
    }

    /// The runs of a method that were started and have no record.
    pub fn without_record(&self, method: Method) -> impl Iterator<Item = &UnfinishedRun> {
        (self.unfinished.iter()).filter(move |run| run.method == method)
    }

    /// The tuned methods whose score on a domain is not shown to be above the floor.
    pub fn at_floor(&self, domain: usize) -> Vec<Method> {
        let is_above = |standing| matches!(standing, None | Some(Standing::Above));
        self.tuned()
            .filter(|result| !is_above(result.scores[domain].above_floor()))
            .map(|result| result.method)
            .collect()
    }

    /// All methods and the untuned backbone, by the number of trainable parameters, the most first.
    pub fn by_parameters(&self) -> Vec<&MethodResult> {
        let mut results: Vec<&MethodResult> = self.methods.iter().collect();
        results.sort_by_key(|result| Reverse(result.trainable()));
        results
    }

    /// Whether there are too many methods to show each in every figure.
    pub fn is_of_many(&self) -> bool {
        self.tuned().count() > MANY
    }

    /// The results of the methods that figures show: the untuned backbone, prompt and model tuning, and of the others
    /// that learned the source those with the highest mean over targets.
    pub fn featured(&self) -> Results {
        if !self.is_of_many() {
            return self.clone();
        }
        let mut others: Vec<&MethodResult> = (self.tuned())
            .filter(|result| !result.is_compared())
            .filter(|result| result.learned() == Standing::Above)
            .collect();
        let score = |result: &MethodResult| result.mean_target.map_or(0.0, |mean| mean.value);
        others.sort_by(|one, other| score(other).total_cmp(&score(one)));
        let featured: Vec<Method> = (others.iter().map(|result| result.method))
            .take(FEATURED - COMPARED.len())
            .chain(COMPARED)
            .chain([Method::Untuned])
            .collect();
        let mut results = self.clone();
        (results.methods).retain(|result| featured.contains(&result.method));
        results
    }

    /// The reported methods and the untuned backbone: the columns of tables.
    pub fn reported_and_untuned(&self) -> Vec<Method> {
        let mut methods = self.reported();
        methods.push(Method::Untuned);
        methods
    }

    /// The name of a domain, with a mark at the source.
    pub fn domain_title(&self, domain: usize) -> String {
        match domain {
            0 => format!("{} (source)", self.source),
            _ => self.domains[domain].name.clone(),
        }
    }

    /// Whether a method has one run and borrows the spread of other methods of the study
    /// ([`lend`](promptshift_numbers::stats::bootstrap::lend)).
    pub fn has_lent_spread(&self, method: Method) -> bool {
        let here = || self.tuned().filter(|one| one.method != Method::Elsewhere);
        here().any(|one| one.seeds.len() > 1)
            && here().any(|one| one.method == method && one.seeds.len() == 1)
    }

    /// Whether a comparison of a method with model tuning covers these runs only: one of the two has one run and
    /// borrows no spread.
    pub fn is_of_these_runs(&self, method: Method) -> bool {
        [method, Method::Model].into_iter().any(|method| {
            let result = self.method(method);
            result.is_some_and(|one| one.seeds.len() == 1) && !self.has_lent_spread(method)
        })
    }

    /// The tuned methods' results.
    pub fn tuned(&self) -> impl Iterator<Item = &MethodResult> {
        (self.methods.iter()).filter(|result| result.method != Method::Untuned)
    }

    /// `squad → textbookqa`.
    pub fn transfer(&self) -> String {
        format!("{} → {}", self.source, self.targets.join(", "))
    }

    /// The target, or the number of averaged targets: `textbookqa`, `mean of 6 targets`.
    pub fn target(&self) -> String {
        match self.targets.as_slice() {
            [one] => one.clone(),
            many => format!("mean of {} targets", many.len()),
        }
    }

    /// [`Results::target`] within a sentence: `textbookqa`, `the mean of 6 targets`.
    pub fn target_in_words(&self) -> String {
        match self.targets.len() {
            1 => self.target(),
            _ => format!("the {}", self.target()),
        }
    }

    /// What tables show in place of a method's numbers: whether any of its runs failed, or was at least started.
    /// Never a zero.
    pub fn absent(&self, method: Method) -> &'static str {
        let runs: Vec<&UnfinishedRun> = self.without_record(method).collect();
        let failed = runs.iter().find(|run| run.end != End::Missing);
        end(failed.or(runs.first()).copied())
    }

    /// What tables show in place of one run's numbers.
    pub fn absent_run(&self, method: Method, seed: u64) -> &'static str {
        end(self.without_record(method).find(|run| run.seed == seed))
    }

    /// A table cell: the method's result as `show` formats it, or why there is none.
    pub fn cell(&self, method: Method, show: impl FnOnce(&MethodResult) -> String) -> String {
        let result = self.method(method);
        result.map_or_else(|| self.absent(method).to_owned(), show)
    }
}

fn end(run: Option<&UnfinishedRun>) -> &'static str {
    match run.map(|run| &run.end) {
        None => MISSING,
        Some(End::Failed { .. }) => "failed",
        Some(End::Missing) => "unfinished",
    }
}

impl MethodResult {
    /// Whether it is one of the paper's two methods, prompt and model tuning.
    pub fn is_compared(&self) -> bool {
        COMPARED.contains(&self.method)
    }

    /// Its number of runs, in words: `3 seeds`, or `3 runs` if it was tuned elsewhere.
    pub fn runs(&self) -> String {
        match self.method {
            Method::Elsewhere => count(self.seeds.len(), "run"),
            _ => count(self.seeds.len(), "seed"),
        }
    }

    /// The number of trainable parameters, 0 if nothing is trained; for a method tuned elsewhere, its own parameters.
    pub fn trainable(&self) -> usize {
        let sizes = self.cost.as_ref().and_then(|cost| cost.sizes.as_ref());
        sizes.map_or(0, |sizes| sizes.trainable_parameters)
    }

    /// The score on the source.
    pub fn source(&self) -> &DomainScore {
        &self.scores[0]
    }

    /// The scores on the targets, in the order of [`Results::targets`].
    pub fn targets(&self) -> &[DomainScore] {
        &self.scores[1..]
    }

    /// Whether the source was learned: the source score compared with the untuned backbone and the floor.
    pub fn learned(&self) -> Standing {
        Standing::of(&self.source().above)
    }
}

impl DomainScore {
    /// The score compared with the floor; `None` without a floor.
    pub fn above_floor(&self) -> Option<Standing> {
        floor_standing(&self.above)
    }

    /// The differences to the floor's answers.
    pub fn floors(&self) -> impl Iterator<Item = &Above> {
        self.above.iter().filter(|one| one.is_of_floor())
    }
}
