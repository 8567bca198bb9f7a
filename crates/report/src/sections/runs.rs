//! How much do single runs differ? The scores of every seed, the right answers of each run, and standard errors over
//! seeds and over passages, which are easily confused.

use serde::Serialize;

use super::collapse;
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::number::{interval, p_value, percent, whole};
use crate::resamples::Resamples;
use crate::results::{MethodResult, Results};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Stop, Training};
use promptshift_numbers::stats::estimate::Interval;
use promptshift_numbers::stats::intervals::wilson;
use promptshift_numbers::stats::significance::{McNemar, holm, mcnemar};
use promptshift_text::domain::Task;

/// The right answers of single runs: exact matches or right labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RightAnswers {
    /// The runs of all tuned methods, by method and seed.
    pub shares: Vec<RunShares>,
    /// Pairs of a run of prompt tuning and a run of model tuning with the same seed.
    pub pairs: Vec<RunPair>,
}

/// One run's right answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunShares {
    pub method: Method,
    pub seed: u64,
    pub domains: Vec<Share>,
}

/// A share of examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The number of right answers.
    pub right: usize,
    /// The number of examples.
    pub examples: usize,
    /// Wilson's 95 % interval, which assumes independent examples; absent without examples.
    pub interval: Option<Interval>,
}

/// Two runs with the same seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunPair {
    pub seed: u64,
    /// The test on each domain; prompt tuning's run is the first.
    pub domains: Vec<Discordance>,
}

/// On how many examples only one of two runs is right, and whether that may be chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Discordance {
    /// The counts and the exact p value.
    pub test: McNemar,
    /// The p value, adjusted for the number of targets (Holm); not adjusted for the source.
    pub adjusted: f64,
}

/// The right answers of all runs.
pub fn right_answers(study: &Study) -> RightAnswers {
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
    let pairs = (study.of(Method::Prompt).into_iter())
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
    let right = predictions
        .iter()
        .filter(|one| one.score.is_right())
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
            // The study was checked to have the same examples in the same order.
            let pairs = (prompt.predictions[domain].iter()).zip(&model.predictions[domain]);
            mcnemar(pairs.map(|(one, other)| (one.score.is_right(), other.score.is_right())))
        })
        .collect();
    let of_targets: Vec<f64> = tests.iter().skip(1).map(|test| test.p_value).collect();
    let source = tests.first().map(|test| test.p_value);
    let adjusted = source.into_iter().chain(holm(&of_targets));
    let pairs = tests.into_iter().zip(adjusted);
    pairs
        .map(|(test, adjusted)| Discordance { test, adjusted })
        .collect()
}

/// The standard errors of one method's scores, by their source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    pub method: Method,
    /// The error from seeds on each domain; 0 if runs do not differ more than passages explain, and with one seed.
    pub seeds: Vec<f64>,
    /// The error from passages with the same runs, on each domain.
    pub passages: Vec<f64>,
}

/// The standard errors of every method.
pub fn spreads(resamples: &Resamples) -> Vec<Spread> {
    let of_method = |method: Method| {
        let variance = |domain| Some(resamples.score(domain, method)?.variance());
        let domains = 0..resamples.panels.len();
        let variances: Vec<_> = domains.filter_map(variance).collect();
        Spread {
            method,
            seeds: variances.iter().map(|one| one.seeds.sqrt()).collect(),
            passages: variances.iter().map(|one| one.passages.sqrt()).collect(),
        }
    };
    resamples.methods().map(of_method).collect()
}

/// The sections on runs.
pub fn blocks(
    study: &Study,
    results: &Results,
    right: &RightAnswers,
    spreads: &[Spread],
) -> Vec<Block> {
    let mut blocks = vec![Block::heading("Runs by seed"), seeds(study, results).into()];
    if !right.shares.is_empty() {
        blocks.push(Block::Details(
            "Right answers, run by run".to_owned(),
            vec![
                right_table(results, right).into(),
                Block::text(right_words(results, right)),
            ],
        ));
    }
    blocks.extend(collapse::blocks(results));
    if results.tuned().next().is_some() {
        blocks.extend(Block::section(
            "Standard errors: seeds and passages",
            spread_table(results, spreads),
            "Standard errors of the mean over seeds, in points. *Seeds*: the error from training runs with other \
             seeds, beyond what passages explain; – with one seed, which does not show it. *Passages*: the error of \
             these runs on other test passages. Intervals include both.",
        ));
    }
    blocks
}

/// A row for each method and seed of the plan, with a word in place of scores if it has no record.
fn seeds(study: &Study, results: &Results) -> Table {
    let domains = results.domains.iter().map(|domain| domain.name.as_str());
    let header = std::iter::once("method, seed").chain(domains);
    let header: Vec<&str> = header.chain(["best step", "stopped by"]).collect();
    let mut rows = Vec::new();
    for method in results.reported() {
        // Runs tuned elsewhere are numbered and have no seeds.
        let (runs, run) = match (method, results.method(method)) {
            (Method::Elsewhere, Some(result)) => (result.seeds.iter().copied().collect(), "run "),
            _ => (study.seeds(), ""),
        };
        for seed in runs {
            let mut row = vec![format!("{}, {run}{seed}", results.title(method))];
            let numbers = results
                .method(method)
                .and_then(|result| numbers(study, result, seed));
            row.extend(numbers.unwrap_or_else(|| {
                vec![results.absent_run(method, seed).to_owned(); header.len() - 1]
            }));
            rows.push(row);
        }
    }
    Table::new(header).rows(rows)
}

fn numbers(study: &Study, result: &MethodResult, seed: u64) -> Option<Vec<String>> {
    let place = result.seeds.iter().position(|found| *found == seed)?;
    let scores = (result.scores.iter()).map(|scores| percent(scores.by_seed[place]));
    let records = study.of(result.method);
    let training = records[place].record.training.as_ref();
    let training = training.filter(|training| training.steps > 0);
    let step = |training: &Training| format!("{} of {}", training.best_step, training.steps);
    let stop = |training: &Training| match training.stop {
        Stop::Budget => "step limit".to_owned(),
        Stop::Patience => "early stopping".to_owned(),
    };
    let rest = [or_dash(training, step), or_dash(training, stop)];
    Some(scores.chain(rest).collect())
}

fn right_words(results: &Results, right: &RightAnswers) -> String {
    let is_right = match results.task {
        Task::ExtractiveQa => "an exact match with a right answer",
        _ => "the right label",
    };
    let mcnemar = match right.pairs.is_empty() {
        true => "",
        false => {
            " *Only*: examples that only one of the two runs with that seed answers correctly; p is McNemar's exact \
             test, adjusted for the number of targets (Holm)."
        }
    };
    format!(
        "Right means {is_right}; [low, high] is Wilson's 95 % interval of a share.{mcnemar} Both assume independent \
         examples and fixed runs: if questions share passages, intervals are somewhat too narrow and p values \
         somewhat too small, and neither covers other seeds."
    )
}

fn right_table(results: &Results, right: &RightAnswers) -> Table {
    let methods: Vec<Method> = results.tuned().map(|result| result.method).collect();
    let mut seeds: Vec<u64> = right.shares.iter().map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let mut header = vec!["domain, seed".to_owned()];
    let titles = methods.iter().map(|method| results.title(*method));
    header.extend(titles.map(|title| format!("{title} [95 %]")));
    if !right.pairs.is_empty() {
        header.extend(["only prompt", "only model", "p"].map(str::to_owned));
    }
    let mut rows = Vec::new();
    for (domain, described) in results.domains.iter().enumerate() {
        for seed in &seeds {
            let mut row = vec![format!("{}, {seed}", described.name)];
            row.extend(methods.iter().map(|method| {
                let mut runs = right.shares.iter();
                let run = runs.find(|run| run.method == *method && run.seed == *seed);
                or_dash(run, |run| share_cell(run.domains[domain]))
            }));
            if !right.pairs.is_empty() {
                let pair = right.pairs.iter().find(|pair| pair.seed == *seed);
                let found = pair.map(|pair| pair.domains[domain]);
                row.extend([
                    or_dash(found, |found| whole(found.test.first_only as f64)),
                    or_dash(found, |found| whole(found.test.second_only as f64)),
                    or_dash(found, |found| p_value(found.adjusted)),
                ]);
            }
            rows.push(row);
        }
    }
    Table::new(header).rows(rows)
}

fn share_cell(share: Share) -> String {
    let right = percent(share.right as f64 / share.examples.max(1) as f64);
    match share.interval {
        Some(range) => format!("{right} {}", interval(range)),
        None => right,
    }
}

fn spread_table(results: &Results, spreads: &[Spread]) -> Table {
    let of = |result: &MethodResult| {
        let spread = (spreads.iter()).find(|spread| spread.method == result.method)?;
        Some((spread, result.seeds.len()))
    };
    let spreads: Vec<(&Spread, usize)> = results.tuned().filter_map(of).collect();
    let mut header = vec![String::new()];
    for (spread, _) in &spreads {
        header.push(format!("{}: seeds", results.title(spread.method)));
        header.push("passages".to_owned());
    }
    let rows = results.domains.iter().enumerate().map(|(index, domain)| {
        let mut row = vec![domain.name.clone()];
        for (spread, seeds) in &spreads {
            row.push(match seeds {
                1 => UNDEFINED.to_owned(),
                _ => percent(spread.seeds[index]),
            });
            row.push(percent(spread.passages[index]));
        }
        row
    });
    Table::new(header).rows(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, compared, rescore};
    use promptshift_numbers::record::Score;

    #[test]
    fn right_answers_are_counted_from_the_predictions() {
        let mut records = Fixture::six_targets().records();
        // On the second target, prompt tuning is right on the first three examples, model tuning on the last one, and
        // both are wrong on all others.
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
            }
            rescore(stored);
        }
        let found = compared(&records).statistics.runs;
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
