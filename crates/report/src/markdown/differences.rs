//! Prompt tuning against model tuning, domain by domain.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::{Comparison, Difference};
use crate::number::{difference, metric_title, p_value, percent};
use crate::statistics::AgainstModel;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::Estimate;

/// The section, empty where one of the methods has no records.
pub fn section(comparison: &Comparison) -> String {
    let Some(differences) = &comparison.difference else {
        return String::new();
    };
    format!(
        "## Prompt tuning − model tuning\n\n{}\n{}\n\n",
        table(comparison, differences).markdown(),
        tally(comparison, differences)
    )
}

fn table(comparison: &Comparison, differences: &Difference) -> TextTable {
    let metric = metric_title(comparison.metric);
    let header = vec![
        String::new(),
        format!("difference in {metric} [95 %]"),
        "p".to_owned(),
        "p of these runs".to_owned(),
        "difference of gaps [95 %]".to_owned(),
        "what the intervals say".to_owned(),
    ];
    let mut rows = Vec::new();
    for (index, domain) in comparison.domains.iter().enumerate() {
        let score = differences.scores[index];
        let test = tests(comparison).and_then(|tests| tests.domains.get(index));
        let chance = [
            test.and_then(|test| test.adjusted),
            test.and_then(|test| test.runs_adjusted),
        ];
        rows.push(
            match index.checked_sub(1).map(|target| differences.gaps[target]) {
                None => row(
                    format!("{} (source)", domain.name),
                    score,
                    chance,
                    None,
                    vec![on_score(score)],
                ),
                Some(gap) => {
                    let floor = comparison.compared_at_floor(index);
                    let on_gap = if floor.is_empty() {
                        on_gap(gap)
                    } else {
                        "gaps: at the floor"
                    };
                    row(
                        domain.name.clone(),
                        score,
                        chance,
                        Some(gap),
                        vec![on_score(score), on_gap],
                    )
                }
            },
        );
    }
    if comparison.targets.len() > 1 {
        let (score, gap) = (differences.mean_target, differences.mean_gap);
        let name = "**mean of targets**".to_owned();
        let mean = tests(comparison).map(|tests| tests.mean);
        rows.push(row(
            name,
            score,
            [mean.and_then(|mean| mean.score_p_value), None],
            Some(gap),
            vec![on_score(score), on_gap(gap)],
        ));
    }
    TextTable {
        words: &[0, 5],
        header,
        rows,
    }
}

/// Prompt tuning against model tuning.
fn tests(comparison: &Comparison) -> Option<&AgainstModel> {
    comparison.statistics.against_model(Method::Prompt)
}

fn row(
    name: String,
    score: Estimate,
    chance: [Option<f64>; 2],
    gap: Option<Estimate>,
    says: Vec<&str>,
) -> Vec<String> {
    let gap = gap.map_or(UNDEFINED.to_owned(), difference);
    let [p, runs_p] = chance.map(|p| p.map_or(UNDEFINED.to_owned(), p_value));
    vec![name, difference(score), p, runs_p, gap, says.join(", ")]
}

fn on_score(score: Estimate) -> &'static str {
    sign(
        score,
        "prompt scores higher",
        "prompt scores lower",
        "scores: open",
    )
}

fn on_gap(gap: Estimate) -> &'static str {
    sign(gap, "prompt loses more", "prompt loses less", "gaps: open")
}

fn sign(
    estimate: Estimate,
    above: &'static str,
    below: &'static str,
    open: &'static str,
) -> &'static str {
    match estimate.interval {
        interval if interval.low > 0.0 => above,
        interval if interval.high < 0.0 => below,
        _ => open,
    }
}

/// How many targets point which way.
fn tally(comparison: &Comparison, differences: &Difference) -> String {
    let legend = "Points, paired by passage. Open: the interval holds zero. At the floor: a method is \
                  not clearly above it there, so the gaps are not compared. p is adjusted for the number \
                  of targets (Holm), intervals and what they say are not.";
    let legend = format!("{legend}{}", runs(comparison));
    let targets = comparison.targets.len();
    if targets == 1 {
        return legend;
    }
    let above: Vec<usize> = (0..targets)
        .filter(|target| comparison.compared_at_floor(target + 1).is_empty())
        .collect();
    let gaps: Vec<&'static str> = above
        .iter()
        .map(|target| on_gap(differences.gaps[*target]))
        .collect();
    let scores: Vec<&'static str> = differences.scores[1..]
        .iter()
        .map(|score| on_score(*score))
        .collect();
    let count =
        |words: &[&'static str], wanted: &str| words.iter().filter(|word| **word == wanted).count();
    format!(
        "{legend} Of {targets} targets, prompt tuning scores higher on {} and lower on {}; of the {} \
         where both methods are above the floor, it loses less on {} and more on {}; the rest are open.",
        count(&scores, "prompt scores higher"),
        count(&scores, "prompt scores lower"),
        above.len(),
        count(&gaps, "prompt loses less"),
        count(&gaps, "prompt loses more"),
    )
}

/// How often a run of one method beats one of the other, and what would have been seen.
fn runs(comparison: &Comparison) -> String {
    let Some(tests) = tests(comparison) else {
        return String::new();
    };
    let wins: Vec<String> = comparison
        .domains
        .iter()
        .zip(&tests.domains)
        .filter_map(|(domain, test)| {
            let wins = test.wins?;
            Some(format!("{} {:.2}", domain.name, wins.value))
        })
        .collect();
    format!(
        " Share of pairs of runs in which prompt tuning's scores higher (ties half): {}. Four of five \
         studies like this one would tell a difference of {} points in target scores, or of {} in gaps, \
         from none.",
        wins.join(", "),
        percent(tests.mean.score_detectable),
        percent(tests.mean.gap_detectable)
    )
}
