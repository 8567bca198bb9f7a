//! The differences to model tuning as tables and in words.

use super::{AgainstModel, DomainTest, of};
use crate::baselines::Standing;
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::level::{Direction, LEVEL, MARGIN, in_words};
use crate::number::{difference, drawn_p_value, interval, metric_title, percent};
use crate::results::Results;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::{Estimate, prediction_interval};
use promptshift_numbers::stats::significance::at_least;

/// Prompt tuning's differences, and the other methods' in a collapsed block; empty without model tuning.
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
                legend(results, all),
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

fn legend(results: &Results, all: &[AgainstModel]) -> String {
    let methods: Vec<Method> = all.iter().map(|tests| tests.method).collect();
    let level = in_words(&methods, results.targets.len());
    format!(
        "Points, method − {}, paired by passage, finished runs. Equivalent: p is not below {LEVEL}, and the \
         interval contains zero and is within {} points of it (not adjusted for the number of comparisons); \
         inconclusive: neither. Gaps are not comparable if one of the two methods is not shown to be above the floor on this domain (floor), is shown \
         not to have learned the source (not learned), or is not shown to have learned it (learning \
         inconclusive).{level}",
        Method::Model.title(),
        percent(MARGIN)
    )
}

fn table<'a>(results: &Results, all: impl IntoIterator<Item = &'a AgainstModel>) -> Table {
    let header = format!(
        "method | domain | difference in {} [95 %] | p | difference in gaps [95 %] | p | verdict",
        metric_title(results.metric)
    );
    let mut rows = Vec::new();
    for tests in all {
        let title = results.title(tests.method);
        for (index, test) in tests.domains.iter().enumerate() {
            let score = on_score(results, tests.method, test);
            let verdict = match (test.gap_difference, why_not(results, tests.method, index)) {
                (None, _) => score.to_owned(),
                (Some(_), Some(why)) => format!("{score}, gap not comparable ({why})"),
                (Some(_), None) => format!("{score}, {}", on_gap(results, tests.method, test)),
            };
            rows.push(vec![
                title.to_owned(),
                results.domain_title(index),
                difference(test.difference),
                or_dash(test.adjusted, drawn_p_value),
                or_dash(test.gap_difference, difference),
                or_dash(test.gap_adjusted, drawn_p_value),
                verdict,
            ]);
        }
        if results.targets.len() > 1 {
            let mean = tests.mean;
            rows.push(vec![
                title.to_owned(),
                "**mean of targets**".to_owned(),
                difference(mean.difference),
                or_dash(mean.score_adjusted, drawn_p_value),
                difference(mean.gap_difference),
                or_dash(mean.gap_adjusted, drawn_p_value),
                "see the verdict above".to_owned(),
            ]);
        }
    }
    Table::of(&header).words(&[0, 1, 6]).rows(rows)
}

/// Why a method's gap on a domain is not comparable with model tuning's: one of the two is not shown to have learned
/// the source, or to be above the domain's floor.
fn why_not(results: &Results, method: Method, domain: usize) -> Option<&'static str> {
    let both = [method, Method::Model];
    let floored = results.at_floor(domain);
    let results_of = both.iter().filter_map(|method| results.method(*method));
    let learned: Vec<Standing> = results_of.map(|result| result.learned()).collect();
    if learned.contains(&Standing::NotAbove) {
        return Some("not learned");
    }
    if learned.contains(&Standing::Open) {
        return Some("learning inconclusive");
    }
    both.iter()
        .any(|method| floored.contains(method))
        .then_some("floor")
}

/// The direction of a difference; single runs, which do not show how much others differ, are never equivalent.
fn direction(
    results: &Results,
    method: Method,
    found: Estimate,
    p_value: Option<f64>,
) -> Direction {
    match Direction::of(found, p_value) {
        Direction::Equivalent if results.is_of_these_runs(method) => Direction::Open,
        direction => direction,
    }
}

/// The difference in scores in words; without a p value nothing varies, and there is no interval.
fn on_score(results: &Results, method: Method, test: &DomainTest) -> &'static str {
    match direction(results, method, test.difference, test.adjusted) {
        _ if test.adjusted.is_none() => "score difference cannot be estimated",
        Direction::More => "scores higher",
        Direction::Less => "scores lower",
        Direction::Equivalent => "score equivalent",
        Direction::Open => "score inconclusive",
    }
}

fn on_gap(results: &Results, method: Method, test: &DomainTest) -> &'static str {
    let gap = test.gap_difference.zip(test.gap_adjusted);
    match gap.map(|(gap, p)| direction(results, method, gap, Some(p))) {
        None => "gap difference cannot be estimated",
        Some(Direction::More) => "larger gap",
        Some(Direction::Less) => "smaller gap",
        Some(Direction::Equivalent) => "gap equivalent",
        Some(Direction::Open) => "gap inconclusive",
    }
}

/// On at least how many of several targets prompt tuning scores higher or lower, and the prediction for one more
/// target.
fn tally(results: &Results, tests: &AgainstModel) -> String {
    let targets = results.targets.len();
    if targets == 1 {
        return String::new();
    }
    // One-sided: half of the two-sided p value if the difference has the tested sign.
    let on_at_least = |of: &dyn Fn(&DomainTest) -> Option<(f64, f64)>, sign: f64| {
        let one_sided = tests.domains[1..].iter().map(|test| {
            let (value, p) = of(test).unwrap_or((0.0, 1.0));
            match value * sign > 0.0 {
                true => 0.5 * p,
                false => 1.0 - 0.5 * p,
            }
        });
        at_least(&one_sided.collect::<Vec<_>>(), 0.5 * LEVEL)
    };
    let score = |test: &DomainTest| Some((test.difference.value, test.p_value?));
    let mut words = format!(
        " Of {targets} targets, prompt tuning scores higher on at least {} and lower on at least {} (partial conjunction, \
         Dror et al. 2017; both with 95 % confidence).",
        on_at_least(&score, 1.0),
        on_at_least(&score, -1.0),
    );
    let gaps: Vec<f64> = (tests.domains.iter())
        .filter_map(|test| Some(test.gap_difference?.value))
        .collect();
    if let (Some(range), true) = (prediction_interval(&gaps), targets >= ENOUGH_TARGETS) {
        words += &format!(
            " These intervals are for these targets only; for another similar target, the difference in gaps is \
             predicted to be in {} (95 % prediction interval).",
            interval(range)
        );
    }
    words
}

/// The least number of targets for a prediction interval.
const ENOUGH_TARGETS: usize = 5;

/// How often a run of one method beats a run of the other, and the smallest detectable effects.
fn runs(results: &Results, tests: &AgainstModel) -> String {
    let wins: Vec<String> = (results.domains.iter().zip(&tests.domains))
        .filter_map(|(domain, test)| {
            let wins = test.wins?;
            let (low, high) = (wins.interval.low, wins.interval.high);
            Some(format!(
                "{} {:.2} [{low:.2}, {high:.2}]",
                domain.name, wins.value
            ))
        })
        .collect();
    let wins = match wins.as_slice() {
        [] => UNDEFINED.to_owned(),
        wins => wins.join(", "),
    };
    format!(
        " Share of pairs of runs in which prompt tuning scores higher (ties count half) [95 %]: {wins}. Detectable \
         with 80 % power: {} points in target scores, {} in gaps.",
        percent(tests.mean.score_detectable),
        percent(tests.mean.gap_detectable)
    )
}
