//! For two classes: does the ranking transfer even if the decision threshold does not?

mod area;
mod threshold;

#[cfg(test)]
mod tests;

pub use area::{AreaLoss, FEWEST, area_in_short};
pub use threshold::Threshold;

use serde::Serialize;

use crate::document::{Block, Table, or_dash};
use crate::number::{capital, gap, list, percent, spread};
use crate::resamples::{Resamples, run};
use crate::results::Results;
use crate::study::Study;
use area::area_losses;
use promptshift_numbers::recipe::{HeadForm, Method};
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws, lend};
use promptshift_numbers::stats::estimate::{Estimate, mean, standard_deviation};
use promptshift_numbers::stats::panel::{Panel, Sample, Sum};
use promptshift_numbers::stats::ranking::{auroc, best_threshold};
use threshold::{explained, panel, thresholds};

/// One method's ranking on every domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRanking {
    pub method: Method,
    pub domains: Vec<DomainRanking>,
    /// The loss from the threshold on each target.
    pub thresholds: Vec<Threshold>,
    /// The loss of AUROC; absent with fewer than [`FEWEST`] examples of a class on a domain.
    pub area: Option<AreaLoss>,
}

/// One method's ranking on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainRanking {
    /// The domain's name of the class that is ranked: the source's second one.
    pub class: String,
    /// The area under the receiver operating characteristic of each seed, in [0, 1].
    pub auroc: Vec<f64>,
    /// The accuracy at the threshold that is best on the run's answers to source validation, over all runs. Absent if
    /// a run has no such answers.
    pub at_source_threshold: Option<Estimate>,
    /// The share of examples predicted as the class, averaged over seeds.
    pub said: f64,
    /// The share of examples that belong to the class.
    pub is: f64,
}

/// Measures one method's ranking but for what is compared with other methods; `None` unless answers are ranked among
/// two classes, by a head or by likelihood: the probability of a generated label does not determine that of the other
/// label.
fn of_method(study: &Study, method: Method) -> Option<(Vec<DomainRanking>, Vec<Threshold>)> {
    let records = study.of(method);
    let domains = 0..study.evaluations().len();
    let rankings = domains
        .clone()
        .map(|domain| of_domain(study, method, domain));
    let panels: Vec<Panel> = domains
        .map(|domain| panel(&records, domain))
        .collect::<Option<_>>()?;
    Some((rankings.collect::<Option<_>>()?, thresholds(&panels)?))
}

/// The mean over examples of a value, for each of these methods on each domain, resampled: `[domain][method]`. A method
/// is absent if one of its runs has no values.
fn resampled(
    study: &Study,
    methods: &[Method],
    values: impl Fn(&StoredRecord, usize) -> Option<Vec<f64>>,
) -> Vec<Vec<Option<Draws>>> {
    let of_method = |domain: usize, method: Method| -> Vec<Sample> {
        let of_run = |stored: &StoredRecord| -> Option<Vec<Sample>> {
            let rows = stored.predictions[domain].iter();
            let values = values(stored, domain)?.into_iter();
            Some(
                rows.zip(values)
                    .map(|(row, value)| sample(stored, row, value))
                    .collect(),
            )
        };
        let runs: Option<Vec<_>> = study.of(method).into_iter().map(of_run).collect();
        runs.into_iter().flatten().flatten().collect()
    };
    let of_domain = |domain: usize| {
        let all = methods.iter().map(|method| of_method(domain, *method));
        Panel::new(&all.collect::<Vec<_>>())
    };
    let panels: Vec<Panel> = (0..study.evaluations().len()).map(of_domain).collect();
    let mut draws = Bootstrap::default().scores(&panels);
    // As for scores, a method trained here with one seed borrows the spread of the others' runs.
    let is_trained = |place: usize| !matches!(methods[place], Method::Untuned | Method::Elsewhere);
    lend(&mut draws, is_trained, is_trained);
    draws
}

/// An example's contribution to a mean over examples.
fn sample(stored: &StoredRecord, row: &Prediction, value: f64) -> Sample {
    let seed = run(&stored.record.cell);
    Sample::new(seed, row.passage.as_str(), Sum::once(value))
}

/// An example ranked among two classes.
struct Ranked {
    /// The probability of the class.
    probability: f64,
    /// Whether it was predicted as the class.
    said: bool,
    /// Whether it belongs to the class.
    is: bool,
}

impl Ranked {
    fn example(&self) -> (f64, bool) {
        (self.probability, self.is)
    }
}

/// The place of the source's second class among a domain's two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Second,
}

/// Classes are matched by name: a target may list the source's classes in the other order.
fn place(predictions: &[Vec<Prediction>], domain: usize) -> Place {
    let class = |domain: usize, wanted: usize| {
        let of_class =
            |one: &&Prediction| matches!(one.score, Score::Label { gold, .. } if gold == wanted);
        let found = predictions[domain].iter().find(of_class);
        found.and_then(|one| one.answers.first())
    };
    let source = [class(0, 0), class(0, 1)];
    match (source, class(domain, 1)) {
        ([Some(first), Some(second)], Some(own)) if own == first && own != second => Place::First,
        _ => Place::Second,
    }
}

/// A run's examples on a domain; `None` if one is not ranked among two classes.
fn rows(stored: &StoredRecord, domain: usize) -> Option<Vec<Ranked>> {
    let place = place(&stored.predictions, domain);
    ranked(stored, &stored.predictions[domain], place)
}

fn ranked(stored: &StoredRecord, predictions: &[Prediction], place: Place) -> Option<Vec<Ranked>> {
    let head = stored
        .record
        .cell
        .recipe
        .as_ref()
        .and_then(|recipe| recipe.head);
    let one = |prediction: &Prediction| {
        let Score::Label { gold, predicted } = prediction.score else {
            return None;
        };
        let second = predicted? == 1;
        let probability = match (prediction.class_log_probs.as_deref(), head) {
            (Some([_, second]), _) => second.exp(),
            (None, Some(HeadForm::Classes(2) | HeadForm::Words(2))) if second => {
                prediction.log_prob.exp()
            }
            (None, Some(HeadForm::Classes(2) | HeadForm::Words(2))) => {
                -prediction.log_prob.exp_m1()
            }
            _ => return None,
        };
        Some(match place {
            Place::Second => Ranked {
                probability,
                said: second,
                is: gold == 1,
            },
            Place::First => Ranked {
                probability: 1.0 - probability,
                said: !second,
                is: gold == 0,
            },
        })
    };
    predictions.iter().map(one).collect()
}

fn examples(rows: &[Ranked]) -> Vec<(f64, bool)> {
    rows.iter().map(Ranked::example).collect()
}

/// Whether each example is classified rightly at the threshold that is best on the run's source validation, as 1 or 0.
fn at_source_threshold(stored: &StoredRecord, domain: usize) -> Option<Vec<f64>> {
    let validation = ranked(stored, &stored.validation, Place::Second)?;
    let threshold = best_threshold(&examples(&validation))?;
    let right = |row: &Ranked| f64::from(u8::from((row.probability > threshold) == row.is));
    Some(rows(stored, domain)?.iter().map(right).collect())
}

fn of_domain(study: &Study, method: Method, domain: usize) -> Option<DomainRanking> {
    let records = study.of(method);
    let seeds: Vec<Vec<Ranked>> = (records.iter())
        .map(|stored| rows(stored, domain))
        .collect::<Option<_>>()?;
    let share = |of: fn(&Ranked) -> bool| {
        let of_seed = |seed: &Vec<Ranked>| {
            seed.iter().filter(|one| of(one)).count() as f64 / seed.len() as f64
        };
        mean(&seeds.iter().map(of_seed).collect::<Vec<_>>())
    };
    let of_class = seeds.first()?.iter().position(|one| one.is)?;
    let class = records.first()?.predictions[domain][of_class]
        .answers
        .first()?;
    Some(DomainRanking {
        class: class.clone(),
        auroc: (seeds.iter())
            .map(|seed| auroc(&examples(seed)))
            .collect::<Option<_>>()?,
        at_source_threshold: None,
        said: share(|one| one.said)?,
        is: share(|one| one.is)?,
    })
}

/// The rankings of all methods that rank two classes.
pub fn rankings(resamples: &Resamples) -> Vec<MethodRanking> {
    let study = resamples.study;
    let of = |method: Method| Some((method, of_method(study, method)?));
    let found: Vec<_> = resamples.methods().filter_map(of).collect();
    let methods: Vec<Method> = found.iter().map(|(method, _)| *method).collect();
    let losses = match area_losses(study, &methods) {
        Some(losses) => losses.into_iter().map(Some).collect(),
        None => vec![None; methods.len()],
    };
    let at_threshold = resampled(study, &methods, at_source_threshold);
    let all = found.into_iter().zip(losses).enumerate();
    all.map(|(place, ((method, (mut domains, thresholds)), area))| {
        for (domain, draws) in domains.iter_mut().zip(&at_threshold) {
            domain.at_source_threshold = draws[place].as_ref().map(Draws::estimate);
        }
        MethodRanking {
            method,
            domains,
            thresholds,
            area,
        }
    })
    .collect()
}

/// The verdict's sentence on a method under a shift of labels, that is if the interval of the difference in class
/// shares between source and target excludes zero: AUROC on both, and how much of each loss the threshold explains.
/// `None` without a shift of labels, or if answers are not ranked among two classes.
pub fn in_short(results: &Results, all: &[MethodRanking], method: Method) -> Option<String> {
    let found = all.iter().find(|one| one.method == method)?;
    let (source, targets) = found.domains.split_first()?;
    let area = |domain: &DomainRanking| percent(mean(&domain.auroc).unwrap_or(f64::NAN));
    let of_target = |((target, name), threshold): ((&DomainRanking, &String), &Threshold)| {
        threshold.shift.interval.excludes(0.0).then(|| {
            format!(
                "on {name}, with {} % “{}” compared with {} % on {}, its AUROC is {} compared with {}, and {}",
                percent(target.is),
                target.class,
                percent(source.is),
                results.source,
                area(target),
                area(source),
                explained(threshold)
            )
        })
    };
    let targets: Vec<String> = (targets.iter().zip(&results.targets).zip(&found.thresholds))
        .filter_map(of_target)
        .collect();
    let title = capital(results.title(method));
    (!targets.is_empty())
        .then(|| format!("{title} under the shift of labels: {}.", targets.join("; ")))
}

/// The section; empty if answers are not ranked among two classes.
pub fn blocks(results: &Results, all: &[MethodRanking]) -> Vec<Block> {
    let methods: Vec<&MethodRanking> = (results.tuned())
        .filter_map(|result| all.iter().find(|one| one.method == result.method))
        .collect();
    let Some(first) = methods.first() else {
        return Vec::new();
    };
    let classes: Vec<String> = (results.domains.iter().zip(&first.domains))
        .map(|(domain, ranking)| format!("“{}” on {}", ranking.class, domain.name))
        .collect();
    let header = " | AUROC | predicted as the class | of the class | \
        accuracy at the source's threshold [95 %]";
    let rows = methods.iter().flat_map(|method| {
        (results.domains.iter().zip(&method.domains)).map(|(domain, ranking)| {
            vec![
                format!("{}, {}", results.title(method.method), domain.name),
                spread(
                    mean(&ranking.auroc).unwrap_or(f64::NAN),
                    standard_deviation(&ranking.auroc),
                ),
                percent(ranking.said),
                percent(ranking.is),
                or_dash(ranking.at_source_threshold, gap),
            ]
        })
    });
    let costs = methods.iter().flat_map(|method| {
        (results.targets.iter().zip(&method.thresholds)).map(|(target, threshold)| {
            vec![
                format!("{}, {target}", results.title(method.method)),
                gap(threshold.gap),
                gap(threshold.explained),
            ]
        })
    });
    let costs =
        Table::of(" | gap in accuracy [95 %] | explained by the threshold [95 %]").rows(costs);
    let words = format!(
        "The class is {}. AUROC: the probability, in percent, that an example of the class gets a higher probability \
         of the class than an example of the other class; ties count half, 50 is chance (Hanley & McNeil 1982); mean \
         ± standard deviation over seeds. AUROC does not depend on a threshold: if accuracy falls and AUROC does \
         not, the threshold is wrong, which a few labelled target examples could correct; if AUROC falls, the \
         classes are separated less well. Accuracy at the source's threshold: each run classifies by the threshold \
         that is best on source validation, which needs no label of a target.",
        list(&classes)
    );
    let mut blocks =
        Block::section("Ranking or threshold?", Table::of(header).rows(rows), words).to_vec();
    blocks.extend(area::blocks(results, all));
    blocks.extend([
        costs.into(),
        Block::text(
            "Explained by the threshold: how many points smaller the gap is if, on source and target, as many \
             examples are assigned to the class as belong to it, those with the highest probability. This uses the \
             share of the class among the right answers, so it measures the loss, not what could be gained without \
             labels.",
        ),
    ]);
    blocks
}
