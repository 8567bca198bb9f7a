//! Does a method score differently from model tuning, domain by domain, and may that be chance?

use serde::Serialize;

use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::number::{difference as signed, metric_title, p_value, percent};
use crate::resamples::Resamples;
use crate::results::{Learned, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::holm::holm;
use promptshift_numbers::stats::permutation::SignFlip;
use promptshift_numbers::stats::winning;

/// One method against model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstModel {
    /// The method.
    pub method: Method,
    /// On each domain.
    pub domains: Vec<DomainTest>,
    /// On average over targets.
    pub mean: MeanTest,
}

/// One method against model tuning on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainTest {
    /// The method's score minus model tuning's.
    pub difference: Estimate,
    /// The method's gap minus model tuning's; absent for the source.
    pub gap_difference: Option<Estimate>,
    /// That the scores do not differ, over seeds and passages: the level at which the interval
    /// touches zero. Absent where nothing varies.
    pub p_value: Option<f64>,
    /// `p_value` adjusted for the number of targets (Holm); for the source as it is.
    pub adjusted: Option<f64>,
    /// That these runs do not differ: sign flips by passage. Absent with fewer than two passages.
    pub runs_p_value: Option<f64>,
    /// `runs_p_value` adjusted for the number of targets (Holm); for the source as it is.
    pub runs_adjusted: Option<f64>,
    /// The smallest difference that such a study finds with 80 % power.
    pub detectable: f64,
    /// How often a run of the method scores higher than one of model tuning.
    pub wins: Option<Estimate>,
}

/// One method against model tuning on average over targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanTest {
    /// The method's mean score minus model tuning's.
    pub difference: Estimate,
    /// That the mean scores do not differ.
    pub score_p_value: Option<f64>,
    /// The smallest difference of mean scores that such a study finds with 80 % power.
    pub score_detectable: f64,
    /// The method's mean gap minus model tuning's.
    pub gap_difference: Estimate,
    /// That the mean gaps do not differ.
    pub gap_p_value: Option<f64>,
    /// The smallest difference of mean gaps that such a study finds with 80 % power.
    pub gap_detectable: f64,
}

/// Prompt tuning minus model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Of the scores on each domain.
    pub scores: Vec<Estimate>,
    /// Of the gaps on each target.
    pub gaps: Vec<Estimate>,
    /// Of the means over targets.
    pub mean_target: Estimate,
    /// Of the mean gaps.
    pub mean_gap: Estimate,
}

/// Every other tuned method against model tuning; empty where that has no records.
pub fn against_model(resamples: &Resamples) -> Vec<AgainstModel> {
    (resamples.methods())
        .filter(|method| !matches!(method, Method::Untuned | Method::Model))
        .filter_map(|method| tests(resamples, method))
        .collect()
}

/// A method's tests.
pub fn of(all: &[AgainstModel], method: Method) -> Option<&AgainstModel> {
    all.iter().find(|one| one.method == method)
}

/// Prompt tuning's tests as plain differences.
pub fn difference(all: &[AgainstModel]) -> Option<Difference> {
    let AgainstModel { domains, mean, .. } = of(all, Method::Prompt)?;
    Some(Difference {
        scores: domains.iter().map(|test| test.difference).collect(),
        gaps: (domains.iter())
            .filter_map(|test| test.gap_difference)
            .collect(),
        mean_target: mean.difference,
        mean_gap: mean.gap_difference,
    })
}

fn tests(resamples: &Resamples, method: Method) -> Option<AgainstModel> {
    let model = Method::Model;
    let test = |domain: usize| {
        let (one, other) = (
            resamples.score(domain, method)?,
            resamples.score(domain, model)?,
        );
        let difference = one.minus(other);
        let gap = match domain {
            0 => None,
            _ => Some(
                resamples
                    .gap(domain, method)?
                    .minus(&resamples.gap(domain, model)?),
            ),
        };
        let pairs = resamples.panels[domain].pairs(method as usize, model as usize)?;
        let (p_value, runs_p_value) = (difference.p_value(), SignFlip::default().p_value(&pairs));
        Some(DomainTest {
            difference: difference.estimate(),
            gap_difference: gap.map(|gap| gap.estimate()),
            p_value,
            adjusted: p_value,
            runs_p_value,
            runs_adjusted: runs_p_value,
            detectable: difference.detectable(),
            wins: winning::probability(one, other),
        })
    };
    let mut domains: Vec<DomainTest> = (0..resamples.panels.len()).filter_map(test).collect();
    if let Some(targets) = domains.get_mut(1..) {
        adjust(targets, |test| (&test.p_value, &mut test.adjusted));
        adjust(targets, |test| {
            (&test.runs_p_value, &mut test.runs_adjusted)
        });
    }
    let score = (resamples.mean_target(method)?).minus(&resamples.mean_target(model)?);
    let gap = (resamples.mean_gap(method)?).minus(&resamples.mean_gap(model)?);
    Some(AgainstModel {
        method,
        domains,
        mean: MeanTest {
            difference: score.estimate(),
            score_p_value: score.p_value(),
            score_detectable: score.detectable(),
            gap_difference: gap.estimate(),
            gap_p_value: gap.p_value(),
            gap_detectable: gap.detectable(),
        },
    })
}

/// Holm over those targets that have a p value.
fn adjust(
    targets: &mut [DomainTest],
    of: impl Fn(&mut DomainTest) -> (&Option<f64>, &mut Option<f64>),
) {
    let found: Vec<f64> = targets.iter_mut().filter_map(|test| *of(test).0).collect();
    let mut adjusted = holm(&found).into_iter();
    for test in targets {
        let (p_value, place) = of(test);
        if p_value.is_some() {
            *place = adjusted.next();
        }
    }
}

/// Prompt tuning's differences in the open, the other methods' folded; nothing without model tuning.
pub fn blocks(results: &Results, all: &[AgainstModel]) -> Vec<Block> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::heading("Difference to model tuning")];
    if let Some(prompt) = of(all, Method::Prompt) {
        blocks.extend([
            table(results, [prompt]).into(),
            Block::text(format!(
                "{}{}{}",
                LEGEND,
                runs(results, prompt),
                tally(results, prompt)
            )),
        ]);
    }
    let others: Vec<&AgainstModel> = (all.iter())
        .filter(|one| one.method != Method::Prompt)
        .collect();
    if !others.is_empty() {
        blocks.push(Block::Details(
            "The other methods against model tuning".to_owned(),
            vec![table(results, others).into()],
        ));
    }
    blocks
}

const LEGEND: &str = "Points, method − model tuning, paired by passage. Inconclusive: the interval includes zero. Floor: one of the \
     two is not clearly above it on this domain; not learned: one of the two did not clearly beat the baselines on \
     the source; then gaps are not comparable. p values are adjusted for the number \
     of targets (Holm); intervals are not.";

fn table<'a>(results: &Results, all: impl IntoIterator<Item = &'a AgainstModel>) -> Table {
    let header = [
        "method".to_owned(),
        "domain".to_owned(),
        format!("difference in {} [95 %]", metric_title(results.metric)),
        "p".to_owned(),
        "p of these runs".to_owned(),
        "difference in gaps [95 %]".to_owned(),
        "verdict".to_owned(),
    ];
    let mut rows = Vec::new();
    for tests in all {
        let title = results.title(tests.method);
        let mut row = |domain: &str, score, p: [Option<f64>; 2], gap, verdict: String| {
            let [p, runs_p] = p.map(|p| or_dash(p, p_value));
            rows.push(vec![
                title.to_owned(),
                domain.to_owned(),
                signed(score),
                p,
                runs_p,
                or_dash(gap, signed),
                verdict,
            ]);
        };
        for (index, (domain, test)) in results.domains.iter().zip(&tests.domains).enumerate() {
            let score = on_score(test.difference, test.p_value);
            let (name, verdict) = match (test.gap_difference, why_not(results, tests.method, index))
            {
                (None, _) => (format!("{} (source)", domain.name), score.to_owned()),
                (Some(_), Some(why)) => (
                    domain.name.clone(),
                    format!("{score}, gap not comparable ({why})"),
                ),
                (Some(gap), None) => (
                    domain.name.clone(),
                    format!("{score}, {}", on_gap(gap, test.p_value)),
                ),
            };
            let p = [test.adjusted, test.runs_adjusted];
            row(&name, test.difference, p, test.gap_difference, verdict);
        }
        if results.targets.len() > 1 {
            let mean = tests.mean;
            let score = on_score(mean.difference, mean.score_p_value);
            let why = (1..results.domains.len())
                .map(|domain| why_not(results, tests.method, domain))
                .collect::<Option<Vec<_>>>();
            let verdict = match why.as_deref() {
                Some([why, ..]) => format!("{score}, gap not comparable ({why})"),
                _ => format!("{score}, {}", on_gap(mean.gap_difference, mean.gap_p_value)),
            };
            let p = [mean.score_p_value, None];
            let gap = Some(mean.gap_difference);
            row("**mean of targets**", mean.difference, p, gap, verdict);
        }
    }
    Table::new(header).words(&[0, 1, 6]).rows(rows)
}

/// Why a method's gap on a domain is not comparable with model tuning's: one of them did not learn the source, or is
/// not clearly above the domain's floor.
fn why_not(results: &Results, method: Method, domain: usize) -> Option<&'static str> {
    let both = [method, Method::Model];
    let floored = results.at_floor(domain);
    let has_not_learned = |method: &Method| {
        let result = results.method(*method);
        result.is_some_and(|result| result.learned(&results.domains[0]) != Learned::Yes)
    };
    if both.iter().any(has_not_learned) {
        return Some("not learned");
    }
    both.iter()
        .any(|method| floored.contains(method))
        .then_some("floor")
}

/// In words; without a p value nothing varies, and the interval is none.
fn on_score(score: Estimate, p_value: Option<f64>) -> &'static str {
    match score.interval {
        _ if p_value.is_none() => "score difference cannot be estimated",
        interval if interval.low > 0.0 => "scores higher",
        interval if interval.high < 0.0 => "scores lower",
        _ => "score inconclusive",
    }
}

fn on_gap(gap: Estimate, p_value: Option<f64>) -> &'static str {
    match gap.interval {
        _ if p_value.is_none() => "gap difference cannot be estimated",
        interval if interval.low > 0.0 => "loses more",
        interval if interval.high < 0.0 => "loses less",
        _ => "gap inconclusive",
    }
}

/// On how many of several targets prompt tuning scores higher and loses less.
fn tally(results: &Results, tests: &AgainstModel) -> String {
    let targets = results.targets.len();
    if targets == 1 {
        return String::new();
    }
    let of_targets = || tests.domains.iter().enumerate().skip(1);
    let scores: Vec<&str> = of_targets()
        .map(|(_, test)| on_score(test.difference, test.p_value))
        .collect();
    let gaps: Vec<&str> = of_targets()
        .filter(|(domain, _)| why_not(results, tests.method, *domain).is_none())
        .filter_map(|(_, test)| Some(on_gap(test.gap_difference?, test.p_value)))
        .collect();
    let count = |words: &[&str], wanted| words.iter().filter(|word| **word == wanted).count();
    format!(
        " Of {targets} targets, prompt tuning scores higher on {} and lower on {}; of the {} with comparable gaps, it \
         loses less on {} and more on {}; the rest are inconclusive.",
        count(&scores, "scores higher"),
        count(&scores, "scores lower"),
        gaps.len(),
        count(&gaps, "loses less"),
        count(&gaps, "loses more"),
    )
}

/// How often a run of one method beats one of the other, and the smallest effects found.
fn runs(results: &Results, tests: &AgainstModel) -> String {
    let wins: Vec<String> = (results.domains.iter().zip(&tests.domains))
        .filter_map(|(domain, test)| Some(format!("{} {:.2}", domain.name, test.wins?.value)))
        .collect();
    let wins = match wins.as_slice() {
        [] => UNDEFINED.to_owned(),
        wins => wins.join(", "),
    };
    format!(
        " Share of pairs of runs in which prompt tuning scores higher (ties count half): {wins}. 80 % power: from {} \
         points in target scores, from {} in gaps.",
        percent(tests.mean.score_detectable),
        percent(tests.mean.gap_detectable)
    )
}
