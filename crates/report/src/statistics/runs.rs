//! Right answers run by run: their share, and where two runs with one seed differ.

use serde::Serialize;

use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::stats::estimate::Interval;
use promptshift_numbers::stats::holm::holm;
use promptshift_numbers::stats::mcnemar::{McNemar, mcnemar};
use promptshift_numbers::stats::proportion::wilson;

/// Right answers of single runs: exact matches, or right labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RightAnswers {
    /// Every run of a tuned method, by method and seed.
    pub shares: Vec<RunShares>,
    /// Runs of prompt tuning against those of model tuning with the same seed.
    pub pairs: Vec<RunPair>,
}

/// One run's right answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunShares {
    /// The method.
    pub method: Method,
    /// The seed.
    pub seed: u64,
    /// On each domain.
    pub domains: Vec<Share>,
}

/// A share of examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Right answers.
    pub right: usize,
    /// Examples.
    pub examples: usize,
    /// Wilson's 95 % interval, which takes examples for independent; absent without examples.
    pub interval: Option<Interval>,
}

/// Two runs with one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunPair {
    /// The seed.
    pub seed: u64,
    /// On each domain; prompt tuning's run is the first.
    pub domains: Vec<Discordance>,
}

/// On how many examples one of two runs alone is right, and whether that can be chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Discordance {
    /// The counts and the exact p value.
    pub test: McNemar,
    /// The p value adjusted for the number of targets (Holm); for the source as it is.
    pub adjusted: f64,
}

pub(super) fn of_study(study: &Study) -> RightAnswers {
    let domains = study.evaluations().len();
    let shares = (study.records().iter())
        .filter(|stored| stored.record.cell.method != Method::Untuned)
        .map(|stored| RunShares {
            method: stored.record.cell.method,
            seed: stored.record.cell.seed,
            domains: (0..domains).map(|domain| share(stored, domain)).collect(),
        })
        .collect();
    let models = study.of(Method::Model);
    let pairs = study
        .of(Method::Prompt)
        .into_iter()
        .filter_map(|prompt| {
            let seed = prompt.record.cell.seed;
            let model = models.iter().find(|one| one.record.cell.seed == seed)?;
            Some(RunPair {
                seed,
                domains: discordances(prompt, model, domains),
            })
        })
        .collect();
    RightAnswers { shares, pairs }
}

fn share(stored: &StoredRecord, domain: usize) -> Share {
    let predictions = &stored.predictions[domain];
    let right = (predictions.iter())
        .filter(|prediction| prediction.score.is_right())
        .count();
    Share {
        right,
        examples: predictions.len(),
        interval: wilson(right, predictions.len()),
    }
}

fn discordances(prompt: &StoredRecord, model: &StoredRecord, domains: usize) -> Vec<Discordance> {
    let tests: Vec<McNemar> = (0..domains)
        .map(|domain| {
            // The study was checked: the same examples in the same order.
            let pairs = (prompt.predictions[domain].iter()).zip(&model.predictions[domain]);
            mcnemar(pairs.map(|(one, other)| (one.score.is_right(), other.score.is_right())))
        })
        .collect();
    let of_targets: Vec<f64> = tests.iter().skip(1).map(|test| test.p_value).collect();
    let source = tests.first().map(|test| test.p_value);
    let adjusted = source.into_iter().chain(holm(&of_targets));
    tests
        .iter()
        .zip(adjusted)
        .map(|(test, adjusted)| Discordance {
            test: *test,
            adjusted,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::study::studies;
    use promptshift_numbers::record::Score;

    #[test]
    fn counts_are_those_of_the_predictions() {
        let mut records = Fixture::six_targets().records();
        // Seed 0: prompt tuning is right on the first three examples of the second target, model tuning on
        // the last one, and nobody on any other.
        for stored in &mut records {
            let method = stored.record.cell.method;
            let examples = stored.predictions[2].len();
            for (place, prediction) in stored.predictions[2].iter_mut().enumerate() {
                let right = match method {
                    Method::Prompt => place < 3,
                    _ => place + 1 == examples,
                };
                prediction.score = Score::Span {
                    exact_match: f64::from(u8::from(right)),
                    f1: 1.0,
                };
                stored.record.evaluations[2].metrics.clear();
            }
        }
        for stored in &mut records {
            for (evaluation, predictions) in
                (stored.record.evaluations.iter_mut()).zip(&stored.predictions)
            {
                let scores: Vec<Score> = predictions.iter().map(|one| one.score).collect();
                evaluation.metrics = promptshift_numbers::score::metrics(evaluation.task, &scores);
            }
        }
        let studies = studies(&records, &[]).expect("they belong together");
        let found = of_study(&studies[0]);
        assert_eq!((found.shares.len(), found.pairs.len()), (6, 3));
        let share = found.shares[0].domains[2];
        assert_eq!((share.right, share.examples), (3, 240));
        assert_eq!(share.interval, wilson(3, 240));
        let pair = found.pairs[0].domains[2];
        assert_eq!((pair.test.first_only, pair.test.second_only), (3, 1));
        // 2 (1 + 4) / 16, and Holm never lowers it.
        assert!((pair.test.p_value - 0.625).abs() < 1e-12);
        assert!(pair.adjusted >= pair.test.p_value);
        let source = found.pairs[0].domains[0];
        assert_eq!(source.adjusted, source.test.p_value);
    }
}
