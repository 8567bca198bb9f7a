//! The analysis: what the records of a study say about methods, domains and gaps.
//!
//! For method f, source s and target t, with M the main metric (a ratio of sums over the domain's
//! examples) averaged over seeds:
//!
//! - gap `G_t(f) = M_s(f) - M_t(f)`;
//! - difference on a domain `M_t(prompt) - M_t(model)`;
//! - difference of gaps `G_t(prompt) - G_t(model)`;
//! - means over targets are means of the targets' values, never of pooled examples.
//!
//! Every value comes with a 95 % interval of [`promptshift_numbers::stats::bootstrap`], from the same resamples.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use super::cautions::{self, Caution};
use super::cost::{Cost, cost};
use super::error::ReportError;
use super::evidence::samples;
use super::k_shot::{self, KShots};
use super::number::count;
use super::statistics::{self, Statistics};
use super::study::Study;
use super::verdict;
use promptshift_numbers::recipe::{Before, Method};
use promptshift_numbers::record::folder::End;
use promptshift_numbers::record::{Cell, Evaluation, Role};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::{Estimate, mean, standard_deviation};
use promptshift_numbers::stats::panel::Panel;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::domain::{AnswerForm, Split, Task};

/// The analysis of one study. Scores are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The domain trained on, or all of a mixture: `squad+newsqa`.
    pub source: String,
    /// How the domains of a mixture are mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// The domains that a start was tuned on before ([`Recipe::before`](promptshift_numbers::recipe::Recipe::before)), but for
    /// the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// The domains only evaluated.
    pub targets: Vec<String>,
    /// The backbone.
    pub model: String,
    /// The suite.
    pub suite: String,
    /// What is asked.
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
    /// The resamples behind each interval.
    pub resamples: usize,
    /// Source first, then targets.
    pub domains: Vec<Domain>,
    /// The methods that have records, in the order of [`Method::ALL`].
    pub methods: Vec<MethodResult>,
    /// Tuned cells that were begun and have no record.
    pub unfinished: Vec<UnfinishedRun>,
    /// Prompt tuning minus model tuning, where both have records.
    pub difference: Option<Difference>,
    /// What may be chance, what could have been seen, and more than the mean.
    pub statistics: Statistics,
    /// Scores with a few examples of each target, beside zero-shot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k_shots: Option<KShots>,
    /// Two sentences that the numbers support.
    pub answer: Vec<String>,
    /// What to mind when reading them.
    pub cautions: Vec<Caution>,
}

/// One evaluated domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Source or target.
    pub role: Role,
    /// The split scored.
    pub split: Split,
    /// Examples scored.
    pub examples: usize,
    /// Passages that they are about.
    pub passages: usize,
    /// Inputs longer than the limit.
    pub cut_inputs: usize,
    /// The score that needs no understanding.
    pub floor: Option<f64>,
}

/// A run that is in no number here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedRun {
    /// The method.
    pub method: Method,
    /// Its seed.
    pub seed: u64,
    /// How it ended.
    pub end: End,
}

/// One method over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodResult {
    /// The method.
    pub method: Method,
    /// What tables and sentences call it: `prompt tuning`, `mine (tuned elsewhere)`.
    pub title: String,
    /// Its seeds, ascending.
    pub seeds: Vec<u64>,
    /// Its scores on each of [`Comparison::domains`].
    pub scores: Vec<DomainScore>,
    /// The mean of the targets' scores.
    pub mean_target: Option<Estimate>,
    /// The mean of the targets' gaps.
    pub mean_gap: Option<Estimate>,
    /// Its source score minus the untuned backbone's, where that has a record.
    pub above_untuned: Option<Estimate>,
    /// What it cost.
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
    /// Mean over seeds of the other metric.
    pub second: f64,
    /// Its standard deviation over seeds.
    pub second_deviation: Option<f64>,
}

/// Prompt tuning minus model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Of the scores on each of [`Comparison::domains`].
    pub scores: Vec<Estimate>,
    /// Of the gaps on each target.
    pub gaps: Vec<Estimate>,
    /// Of the means over targets.
    pub mean_target: Estimate,
    /// Of the mean gaps.
    pub mean_gap: Estimate,
}

/// The methods whose gaps the paper compares.
const COMPARED: [Method; 2] = [Method::Prompt, Method::Model];

/// See [`Comparison::is_of_many`].
const MANY: usize = 6;

/// As many methods as a panel has room for with their numbers, where there are too many for all of them.
const FEATURED: usize = 4;

/// See [`Comparison::before`].
fn before(study: &Study) -> Vec<String> {
    let cells = study.records().iter().map(|stored| &stored.record.cell);
    let domains: BTreeSet<String> = cells
        .filter_map(|cell| match cell.recipe.as_ref()?.before() {
            Before::Domains(domains) => Some((&cell.setting.source, domains)),
            Before::Nothing | Before::Unknown => None,
        })
        .flat_map(|(source, domains)| domains.iter().filter(move |&domain| domain != source))
        .cloned()
        .collect();
    domains.into_iter().collect()
}

impl Comparison {
    /// A method's result, if it has records.
    pub fn method(&self, method: Method) -> Option<&MethodResult> {
        self.methods.iter().find(|result| result.method == method)
    }

    /// What tables and sentences call a method.
    pub fn title(&self, method: Method) -> &str {
        let result = self.method(method);
        result.map_or(method.title(), |result| &result.title)
    }

    /// The methods to tell of: the paper's two, with records or without, and every other tuned one
    /// that has records or was begun, in the order of [`Method::ALL`].
    pub fn told(&self) -> Vec<Method> {
        let is_told = |method: &Method| match method {
            Method::Untuned => false,
            Method::Prompt | Method::Model => true,
            other => self.method(*other).is_some() || self.without_record(*other).next().is_some(),
        };
        Method::ALL.into_iter().filter(is_told).collect()
    }

    /// The runs of a method that were begun and have no record.
    pub fn without_record(&self, method: Method) -> impl Iterator<Item = &UnfinishedRun> {
        self.unfinished
            .iter()
            .filter(move |run| run.method == method)
    }

    /// The tuned methods whose score on a domain is not clearly above its floor.
    pub fn at_floor(&self, domain: usize) -> Vec<Method> {
        let Some(floor) = self.domains[domain].floor else {
            return Vec::new();
        };
        self.tuned()
            .filter(|result| result.scores[domain].score.interval.low <= floor)
            .map(|result| result.method)
            .collect()
    }

    /// Which of the two methods whose gaps are compared, prompt and model tuning, are not clearly above a domain's floor.
    pub fn compared_at_floor(&self, domain: usize) -> Vec<Method> {
        let mut methods = self.at_floor(domain);
        methods.retain(|method| COMPARED.contains(method));
        methods
    }

    /// The methods that were tuned and the untuned backbone, the most trainable parameters first.
    pub fn by_parameters(&self) -> Vec<&MethodResult> {
        let mut results: Vec<&MethodResult> = self.methods.iter().collect();
        results.sort_by_key(|result| Reverse(result.trainable()));
        results
    }

    /// Whether there are more methods than figures have lines for and sentences clauses.
    pub fn is_of_many(&self) -> bool {
        self.tuned().count() > MANY
    }

    /// The same with no more methods than there is room for: the untuned backbone, prompt and model tuning, and of the
    /// others that learned the source those with the highest mean over targets.
    pub fn featured(&self) -> Comparison {
        if !self.is_of_many() {
            return self.clone();
        }
        let mut others: Vec<&MethodResult> = (self.tuned())
            .filter(|result| !result.is_compared())
            .filter(|result| result.learned(&self.domains[0]) == Learned::Yes)
            .collect();
        let score = |result: &MethodResult| result.mean_target.map_or(0.0, |mean| mean.value);
        others.sort_by(|one, other| score(other).total_cmp(&score(one)));
        let featured: Vec<Method> = (others.iter().map(|result| result.method))
            .take(FEATURED - COMPARED.len())
            .chain(COMPARED)
            .chain([Method::Untuned])
            .collect();
        let mut comparison = self.clone();
        (comparison.methods).retain(|result| featured.contains(&result.method));
        comparison
    }

    /// How many trials the recipe of every method that was trained had; 1 without a search.
    pub fn trials(&self) -> Vec<(Method, usize)> {
        let trained = self.tuned().filter(|result| {
            let cost = result.cost.as_ref().and_then(|cost| cost.training.as_ref());
            cost.is_some_and(|cost| cost.steps > 0.0)
        });
        let trials = |method: Method| {
            let searches = &self.statistics.searches;
            let found = searches.iter().find(|one| one.method == method);
            found.map_or(1, |one| one.search.trials.len())
        };
        trained
            .map(|result| (result.method, trials(result.method)))
            .collect()
    }

    /// The tuned methods' results.
    pub fn tuned(&self) -> impl Iterator<Item = &MethodResult> {
        self.methods
            .iter()
            .filter(|result| result.method != Method::Untuned)
    }
}

impl MethodResult {
    /// Whether it is one of the two methods whose gaps are compared, prompt and model tuning.
    pub fn is_compared(&self) -> bool {
        COMPARED.contains(&self.method)
    }

    /// How many runs it has, in words: of a method that is trained here, one for each seed.
    pub fn runs(&self) -> String {
        match self.method {
            Method::Elsewhere => count(self.seeds.len(), "run"),
            _ => count(self.seeds.len(), "seed"),
        }
    }

    /// How many parameters it trains: none of what is not trained. Of what was tuned elsewhere, those that it has of
    /// its own.
    pub fn trainable(&self) -> usize {
        let sizes = self.cost.as_ref().and_then(|cost| cost.sizes.as_ref());
        sizes.map_or(0, |sizes| sizes.trainable_parameters)
    }

    /// The score on the source.
    pub fn source(&self) -> &DomainScore {
        &self.scores[0]
    }

    /// The scores on the targets, in the order of [`Comparison::targets`].
    pub fn targets(&self) -> &[DomainScore] {
        &self.scores[1..]
    }

    /// Whether the source score lies clearly above the untuned backbone's and the floor.
    pub fn learned(&self, source: &Domain) -> Learned {
        let beats_untuned = self
            .above_untuned
            .is_none_or(|gain| gain.interval.low > 0.0);
        let beats_floor = source
            .floor
            .is_none_or(|floor| self.source().score.interval.low > floor);
        match (beats_untuned, beats_floor) {
            (true, true) => Learned::Yes,
            (false, _) => Learned::NotAboveUntuned,
            (true, false) => Learned::NotAboveFloor,
        }
    }
}

/// Whether training taught the source's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// The source score is above untuned backbone and floor.
    Yes,
    /// The source score cannot be told from the untuned backbone's, or is below it.
    NotAboveUntuned,
    /// The source score cannot be told from the floor, or is below it.
    NotAboveFloor,
}

/// Analyses a study.
pub fn compare(study: &Study) -> Result<Comparison, ReportError> {
    let bootstrap = Bootstrap::default();
    let cell = study.cell();
    let task = study.evaluations()[0].task;
    let [main, second] = Metric::of(task);
    let panels: Vec<Panel> = (0..study.evaluations().len())
        .map(|domain| panel(study, main, domain))
        .collect();
    let scores = Scores(bootstrap.scores(&panels));
    let domains = domains(study, &panels);
    let methods = Method::ALL
        .into_iter()
        .filter(|method| !study.of(*method).is_empty())
        .map(|method| method_result(study, &panels, &scores, method, second))
        .collect();
    let mut comparison = Comparison {
        source: cell.setting.source.clone(),
        mixing: cell.setting.mixing,
        before: before(study),
        targets: cell.setting.targets.clone(),
        model: cell.setting.model.clone(),
        suite: cell.setting.suite.clone(),
        task,
        answers: cell.setting.answers,
        wording: cell.setting.wording.clone(),
        metric: main.name(),
        second_metric: second.name(),
        resamples: bootstrap.resamples,
        domains,
        methods,
        unfinished: (study.unfinished().iter())
            .filter(|one| one.cell.method != Method::Untuned)
            .map(|one| UnfinishedRun {
                method: one.cell.method,
                seed: one.cell.seed,
                end: one.end.clone(),
            })
            .collect(),
        difference: scores.difference(),
        statistics: statistics::statistics(study, main, &panels, &scores),
        k_shots: k_shot::k_shots(study, main),
        answer: Vec::new(),
        cautions: Vec::new(),
    };
    comparison.answer = verdict::answer(&comparison);
    comparison.cautions = cautions::cautions(study, &comparison);
    Ok(comparison)
}

/// What a run is told from others of its method by, and paired with those of other methods. What was tuned elsewhere
/// shares no seed with what was tuned here.
fn run(cell: &Cell) -> u64 {
    match cell.method {
        Method::Elsewhere => u64::MAX - u64::from(u32::MAX) + cell.seed,
        _ => cell.seed,
    }
}

/// All methods on one domain, in the order of [`Method::ALL`].
fn panel(study: &Study, metric: Metric, domain: usize) -> Panel {
    let methods = Method::ALL.map(|method| {
        study
            .of(method)
            .into_iter()
            .flat_map(|stored| {
                samples(
                    metric,
                    run(&stored.record.cell),
                    &stored.predictions[domain],
                )
            })
            .collect()
    });
    Panel::new(&methods)
}

fn domains(study: &Study, panels: &[Panel]) -> Vec<Domain> {
    study
        .evaluations()
        .iter()
        .zip(panels)
        .enumerate()
        .map(|(index, (evaluation, panel))| Domain {
            name: evaluation.domain.clone(),
            role: evaluation.role,
            split: evaluation.split,
            examples: evaluation.examples,
            passages: panel.clusters(),
            cut_inputs: evaluation.cut_inputs,
            floor: study
                .records()
                .iter()
                .find_map(|stored| stored.record.evaluations[index].floor),
        })
        .collect()
}

fn method_result(
    study: &Study,
    panels: &[Panel],
    scores: &Scores,
    method: Method,
    second: Metric,
) -> MethodResult {
    let records = study.of(method);
    let by_domain = (0..panels.len())
        .map(|domain| {
            let evaluations: Vec<&Evaluation> = records
                .iter()
                .map(|stored| &stored.record.evaluations[domain])
                .collect();
            let runs = panels[domain].methods()[place(method)].as_ref();
            let by_seed = runs.map(|runs| runs.scores()).unwrap_or_default();
            let seconds: Vec<f64> = evaluations
                .iter()
                .filter_map(|evaluation| evaluation.metrics.get(second.name()).copied())
                .collect();
            DomainScore {
                score: scores.score(domain, method),
                deviation: standard_deviation(&by_seed),
                by_seed,
                gap: (domain > 0).then(|| scores.gap(domain, method).estimate()),
                second: mean(&seconds).expect("the evidence was checked: every metric is there"),
                second_deviation: standard_deviation(&seconds),
            }
        })
        .collect();
    MethodResult {
        method,
        title: records[0].record.cell.title(),
        seeds: records
            .iter()
            .map(|stored| stored.record.cell.seed)
            .collect(),
        scores: by_domain,
        mean_target: scores.mean_target(method).map(|mean| mean.estimate()),
        mean_gap: scores.mean_gap(method).map(|mean| mean.estimate()),
        above_untuned: scores.above_untuned(method),
        cost: cost(&records),
    }
}

/// The resampled scores `[domain][method]`, source first.
pub(super) struct Scores(Vec<Vec<Option<Draws>>>);

/// A method's place in a panel.
fn place(method: Method) -> usize {
    method as usize
}

impl Scores {
    pub(super) fn find(&self, domain: usize, method: Method) -> Option<&Draws> {
        self.0[domain][place(method)].as_ref()
    }

    fn draws(&self, domain: usize, method: Method) -> &Draws {
        self.find(domain, method)
            .expect("a method with records has samples on every domain")
    }

    fn score(&self, domain: usize, method: Method) -> Estimate {
        let estimate = self.draws(domain, method).estimate();
        Estimate {
            interval: estimate.interval.clamp(0.0, 1.0),
            ..estimate
        }
    }

    fn gap(&self, domain: usize, method: Method) -> Draws {
        self.draws(0, method).minus(self.draws(domain, method))
    }

    fn targets(&self) -> std::ops::Range<usize> {
        1..self.0.len()
    }

    pub(super) fn mean_target(&self, method: Method) -> Option<Draws> {
        let all: Vec<&Draws> = self
            .targets()
            .filter_map(|domain| self.find(domain, method))
            .collect();
        Draws::mean(&all)
    }

    pub(super) fn mean_gap(&self, method: Method) -> Option<Draws> {
        Some(self.find(0, method)?.minus(&self.mean_target(method)?))
    }

    fn above_untuned(&self, method: Method) -> Option<Estimate> {
        if method == Method::Untuned {
            return None;
        }
        let untuned = self.find(0, Method::Untuned)?;
        Some(self.find(0, method)?.minus(untuned).estimate())
    }

    fn difference(&self) -> Option<Difference> {
        let (prompt, model) = (Method::Prompt, Method::Model);
        self.find(0, prompt).and(self.find(0, model))?;
        let score = |domain| self.draws(domain, prompt).minus(self.draws(domain, model));
        let gap = |domain| self.gap(domain, prompt).minus(&self.gap(domain, model));
        let minus = |one: Option<Draws>, other: Option<Draws>| Some(one?.minus(&other?).estimate());
        Some(Difference {
            scores: (0..self.0.len())
                .map(|domain| score(domain).estimate())
                .collect(),
            gaps: self
                .targets()
                .map(|domain| gap(domain).estimate())
                .collect(),
            mean_target: minus(self.mean_target(prompt), self.mean_target(model))?,
            mean_gap: minus(self.mean_gap(prompt), self.mean_gap(model))?,
        })
    }
}
