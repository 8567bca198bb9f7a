//! For two classes: does the ranking transfer even if the decision threshold does not?

use serde::Serialize;

use crate::document::{Block, Table};
use crate::number::{capital, gap, interval, list, percent, share, spread};
use crate::resamples::Resamples;
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::{HeadForm, Method};
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::{Estimate, mean, standard_deviation};
use promptshift_numbers::stats::panel::{Panel, Sample};
use promptshift_numbers::stats::ranking::{at_matched_threshold, auroc};

/// One method's ranking on every domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRanking {
    /// The method.
    pub method: Method,
    /// The ranking on each domain.
    pub domains: Vec<DomainRanking>,
    /// The loss from the threshold on each target.
    pub thresholds: Vec<Threshold>,
}

/// The part of a gap that the threshold between two classes explains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// The difference in the share of examples of the class, target − source.
    pub shift: Estimate,
    /// The gap in accuracy.
    pub gap: Estimate,
    /// How much smaller the gap is if, on both domains, as many examples are assigned to the class as belong to it.
    pub explained: Estimate,
}

/// One method's ranking on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainRanking {
    /// The domain's name of the second class.
    pub class: String,
    /// The area under the receiver operating characteristic of each seed, in [0, 1].
    pub auroc: Vec<f64>,
    /// The share of examples predicted as the class, averaged over seeds.
    pub said: f64,
    /// The share of examples that belong to the class.
    pub is: f64,
}

/// Measures one method's ranking; `None` unless answers are ranked among two classes, by a head or by likelihood: the
/// probability of a generated label does not determine that of the other label.
fn of_method(study: &Study, method: Method) -> Option<MethodRanking> {
    let records = study.of(method);
    let domains = 0..study.evaluations().len();
    Some(MethodRanking {
        method,
        domains: (domains.clone())
            .map(|domain| of_domain(&records, domain))
            .collect::<Option<_>>()?,
        thresholds: thresholds(
            &domains
                .map(|domain| panel(&records, domain))
                .collect::<Option<Vec<_>>>()?,
        )?,
    })
}

/// The samples of a method's runs, of the same runs at the matched threshold, and of the right answers.
fn panel(records: &[&StoredRecord], domain: usize) -> Option<Panel> {
    let mut kinds = [Vec::new(), Vec::new(), Vec::new()];
    for (stored, seed) in records.iter().zip(ranked_by_seed(records, domain)?) {
        let examples: Vec<(f64, bool)> = seed.iter().map(|one| (one.probability, one.is)).collect();
        let matched = at_matched_threshold(&examples);
        let rows = stored.predictions[domain].iter().zip(&seed).zip(matched);
        for ((prediction, one), matched) in rows {
            let [own, is] = [one.said == one.is, one.is].map(|yes| f64::from(u8::from(yes)));
            for (kind, numerator) in kinds.iter_mut().zip([own, matched, is]) {
                kind.push(Sample {
                    seed: stored.record.cell.seed,
                    cluster: prediction.passage.clone(),
                    numerator,
                    denominator: 1.0,
                });
            }
        }
    }
    Some(Panel::new(&kinds))
}

/// The loss from the threshold on each target, from the panels of all domains, source first.
fn thresholds(panels: &[Panel]) -> Option<Vec<Threshold>> {
    let draws = Bootstrap::default().scores(panels);
    let all: Vec<[&Draws; 3]> = (draws.iter())
        .map(|kinds| match kinds.as_slice() {
            [Some(own), Some(matched), Some(is)] => Some([own, matched, is]),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let ([own, matched, is], targets) = all.split_first()?;
    let of_target = |target: &[&Draws; 3]| {
        let gap = own.minus(target[0]);
        Threshold {
            shift: target[2].minus(is).estimate(),
            explained: gap.minus(&matched.minus(target[1])).estimate(),
            gap: gap.estimate(),
        }
    };
    Some(targets.iter().map(of_target).collect())
}

/// The examples of every run; `None` if one is not ranked among two classes.
fn ranked_by_seed(records: &[&StoredRecord], domain: usize) -> Option<Vec<Vec<Ranked>>> {
    (records.iter())
        .map(|stored| {
            let recipe = stored.record.cell.recipe.as_ref();
            let head = recipe.and_then(|recipe| recipe.head);
            let predictions = stored.predictions[domain].iter();
            predictions
                .map(|prediction| ranked(prediction, head))
                .collect()
        })
        .collect()
}

fn of_domain(records: &[&StoredRecord], domain: usize) -> Option<DomainRanking> {
    let seeds = ranked_by_seed(records, domain)?;
    let share = |of: fn(&Ranked) -> bool| {
        let of_seed = |seed: &Vec<Ranked>| {
            seed.iter().filter(|one| of(one)).count() as f64 / seed.len() as f64
        };
        mean(&seeds.iter().map(of_seed).collect::<Vec<_>>())
    };
    let class = (records.first()?.predictions[domain].iter())
        .find(|prediction| matches!(prediction.score, Score::Label { gold: 1, .. }))?;
    Some(DomainRanking {
        class: class.answers.first()?.clone(),
        auroc: (seeds.iter())
            .map(|seed| {
                auroc(
                    &seed
                        .iter()
                        .map(|one| (one.probability, one.is))
                        .collect::<Vec<_>>(),
                )
            })
            .collect::<Option<_>>()?,
        said: share(|one| one.said)?,
        is: share(|one| one.is)?,
    })
}

/// An example ranked among two classes.
struct Ranked {
    /// The probability of the second class.
    probability: f64,
    /// Whether it was predicted as the second class.
    said: bool,
    /// Whether it belongs to the second class.
    is: bool,
}

fn ranked(prediction: &Prediction, head: Option<HeadForm>) -> Option<Ranked> {
    let Score::Label { gold, predicted } = prediction.score else {
        return None;
    };
    let said = predicted? == 1;
    let probability = match (prediction.class_log_probs.as_deref(), head) {
        (Some([_, second]), _) => second.exp(),
        (None, Some(HeadForm::Classes(2) | HeadForm::Words(2))) if said => {
            prediction.log_prob.exp()
        }
        (None, Some(HeadForm::Classes(2) | HeadForm::Words(2))) => -prediction.log_prob.exp_m1(),
        _ => return None,
    };
    Some(Ranked {
        probability,
        said,
        is: gold == 1,
    })
}

/// The rankings of all methods that rank two classes.
pub fn rankings(resamples: &Resamples) -> Vec<MethodRanking> {
    (resamples.methods())
        .filter_map(|method| of_method(resamples.study, method))
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

/// How much of a loss the threshold explains, in words.
fn explained(threshold: &Threshold) -> String {
    let Threshold { gap, explained, .. } = threshold;
    let range = interval(explained.interval);
    let size = percent(explained.value);
    if gap.interval.low <= 0.0 {
        return "no loss of accuracy is shown".to_owned();
    }
    let lost = percent(gap.value);
    match explained.interval {
        _ if explained.interval.low > 0.0 => format!(
            "the threshold explains {size} {range} of the {lost} points lost ({})",
            share((explained.value / gap.value).min(1.0))
        ),
        _ if explained.interval.high < 0.0 => {
            format!(
                "the threshold hides a larger loss: it would be {} points more than the observed {lost}",
                percent(-explained.value)
            )
        }
        _ => format!(
            "the threshold is not shown to explain any of the {lost} points lost ({size} {range})"
        ),
    }
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
    let header = ["", "AUROC", "predicted as the class", "of the class"];
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
    let costs = Table::new([
        "",
        "gap in accuracy [95 %]",
        "explained by the threshold [95 %]",
    ])
    .rows(costs);
    let words = format!(
        "The class is {}. AUROC: the probability, in percent, that an example of the class gets a higher probability \
         of the class than an example of the other class; ties count half, 50 is chance (Hanley & McNeil 1982); mean \
         ± standard deviation over seeds. AUROC does not depend on a threshold: if accuracy falls and AUROC does \
         not, the threshold is wrong, which a few labelled target examples could correct; if AUROC falls, the \
         classes are separated less well.",
        list(&classes)
    );
    let mut blocks = Block::section(
        "Ranking or threshold?",
        Table::new(header).rows(rows),
        words,
    )
    .to_vec();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::compare;
    use crate::fixture::Fixture;
    use crate::study::studies;
    use promptshift_numbers::score::metrics;
    use promptshift_text::domain::Task;

    /// The sentence on prompt tuning if this many of ten target rows belong to the class, and the rows of both
    /// classes have these probabilities of the class on the target, alternating.
    fn said(of_class: usize, class: [f64; 2], other: [f64; 2]) -> Option<String> {
        let mut records = Fixture::pairs().records();
        for stored in &mut records {
            for domain in 0..2 {
                for (row, prediction) in stored.predictions[domain].iter_mut().enumerate() {
                    let of_ten = if domain == 0 { 5 } else { of_class };
                    let is = row % 10 < of_ten;
                    let second = match (domain, is) {
                        (0, true) => 0.8,
                        (0, false) => 0.2,
                        (_, true) => class[row / 10 % 2],
                        (_, false) => other[row / 10 % 2],
                    };
                    let gold = usize::from(is);
                    let predicted = Some(usize::from(second > 0.5));
                    prediction.score = Score::Label { gold, predicted };
                    let logs = [1.0_f64 - second, second].map(f64::ln);
                    prediction.class_log_probs = Some(logs.to_vec());
                }
                let scores: Vec<Score> = (stored.predictions[domain].iter())
                    .map(|prediction| prediction.score)
                    .collect();
                stored.record.evaluations[domain].metrics = metrics(Task::Paraphrase, &scores);
            }
        }
        let studies = studies(&records, &[]).expect("they belong together");
        let comparison = compare(&studies[0]).expect("consistent");
        let all = &comparison.statistics.ranking;
        in_short(&comparison.results, all, Method::Prompt)
    }

    #[test]
    fn the_threshold_is_reported_only_under_a_shift_of_labels() {
        let whole = said(9, [0.4, 0.7], [0.1, 0.1]).expect("a shift");
        assert!(
            whole.contains(
                "with 90.0 % “synthetic” compared with 50.0 % on qqp, its AUROC is 100.0 compared with 100.0"
            ),
            "{whole}"
        );
        assert!(
            whole.contains("(100 %)") && whole.contains("the threshold explains 45.0"),
            "{whole}"
        );
        // No threshold separates the classes.
        let none = said(9, [0.4, 0.7], [0.4, 0.7]).expect("a shift");
        assert!(
            none.contains("its AUROC is 50.0 compared with 100.0"),
            "{none}"
        );
        // Equal shares of the classes, and the same threshold: nothing to report.
        assert_eq!(said(5, [0.4, 0.7], [0.1, 0.1]), None);
        // A shift of labels without a loss.
        let kept = said(9, [0.8, 0.8], [0.1, 0.1]).expect("a shift");
        assert!(kept.contains("no loss of accuracy is shown"), "{kept}");
    }

    #[test]
    fn the_explanation_depends_on_the_interval() {
        let estimate = |low, value, high| Estimate {
            value,
            interval: promptshift_numbers::stats::estimate::Interval { low, high },
        };
        let gap = estimate(0.1, 0.2, 0.3);
        let words = |gap, low, value, high| {
            let threshold = Threshold {
                shift: gap,
                gap,
                explained: estimate(low, value, high),
            };
            super::explained(&threshold)
        };
        assert_eq!(
            words(gap, 0.001, 0.1, 0.2),
            "the threshold explains 10.0 [0.1, 20.0] of the 20.0 points lost (50 %)"
        );
        assert_eq!(
            words(gap, 0.0, 0.1, 0.2),
            "the threshold is not shown to explain any of the 20.0 points lost (10.0 [0.0, 20.0])"
        );
        assert!(words(gap, -0.2, -0.1, -0.01).contains("larger loss"));
        assert_eq!(
            words(estimate(0.0, 0.1, 0.2), 0.05, 0.1, 0.15),
            "no loss of accuracy is shown"
        );
    }
}
