//! The verdicts as a table and in words.

use super::{Evidence, Says, Verdict};
use crate::baselines::Standing;
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::level::MARGIN;
use crate::number::{count, difference, gap, list, metric_title, percent};
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::Estimate;

/// The question, the table and the answer.
pub fn blocks(evidence: Evidence, verdicts: &[Verdict], answer: &[String]) -> Vec<Block> {
    let results = evidence.results;
    let targets = match results.targets.as_slice() {
        [one] => one.clone(),
        many => count(many.len(), "other domain"),
    };
    // Initial values that were tuned on a target make the transfer not zero-shot.
    let zero_shot = match results.before.is_empty() {
        true => " zero-shot",
        false => "",
    };
    let question = format!(
        "**When a model tuned on {} is evaluated{zero_shot} on {targets}, how much does it lose, and does tuning \
         fewer parameters lose less?**",
        results.source
    );
    let before = match results.before.as_slice() {
        [] => String::new(),
        before => format!(" The initialisation had been tuned on {}.", list(before)),
    };
    let words = format!("{}{before}", answer.join(" "));
    vec![
        Block::text(question),
        table(evidence, verdicts).into(),
        Block::text(words),
    ]
}

/// A row for each method: its source score, its mean target score, its gap, and the two comparisons with model
/// tuning, at the same source score and for finished runs.
pub fn table(evidence: Evidence, verdicts: &[Verdict]) -> Table {
    let results = evidence.results;
    let metric = metric_title(results.metric);
    let model = Method::Model.title();
    let (source, target) = (&results.source, results.target());
    let header = [
        String::new(),
        format!("{source} {metric}"),
        format!("{target} {metric}"),
        "gap [95 %]".to_owned(),
        format!("same {source} score: {target} − {model}'s [95 %]"),
        format!("finished: gap − {model}'s [95 %]"),
    ];
    let mut rows: Vec<Vec<String>> = (verdicts.iter())
        .filter_map(|verdict| {
            let result = results.method(verdict.method)?;
            let [same, finished] = cells(evidence, verdict);
            Some(vec![
                named(results, result),
                percent(result.source().score.value),
                or_dash(result.mean_target, |mean| percent(mean.value)),
                or_dash(result.mean_gap, gap),
                same,
                finished,
            ])
        })
        .collect();
    let absent = |method: &Method| results.method(*method).is_none();
    rows.extend(results.reported().into_iter().filter(absent).map(|method| {
        let mut row = vec![results.title(method).to_owned()];
        row.resize(header.len(), results.absent(method).to_owned());
        row
    }));
    Table::new(header).words(&[0, 4, 5]).rows(rows)
}

/// `**prompt tuning**, 3 seeds, 1 failed`.
fn named(results: &Results, result: &MethodResult) -> String {
    let failed = (results.without_record(result.method))
        .filter(|run| run.end != End::Missing)
        .count();
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!("**{}**, {}{failed}", result.title, result.runs())
}

/// The cells of the two comparisons: at the same source score, and for finished runs.
fn cells(evidence: Evidence, verdict: &Verdict) -> [String; 2] {
    let results = evidence.results;
    let matched = evidence.matched(verdict.method);
    let same = matched.filter(|_| verdict.same_source.is_compared());
    let same = same.map(|matched| matched.mean_difference);
    let finished = verdict
        .gap_difference
        .filter(|_| verdict.finished.is_compared());
    let one = |estimate: Option<Estimate>, says: Says, unless: &str| {
        let words = words(results, verdict, says);
        match estimate {
            // Its own interval excludes zero, but the verdict depends on more.
            Some(found) if says == Says::Inconclusive && found.interval.excludes(0.0) => {
                format!("{}, {unless}", difference(found))
            }
            Some(found) => format!("{}, {words}", difference(found)),
            None => words,
        }
    };
    // A reason that applies to both comparisons is given once.
    let is_barred = verdict.same_source == verdict.finished && !verdict.finished.is_compared();
    let same = match is_barred {
        true => UNDEFINED.to_owned(),
        false => {
            let unless = format!(
                "inconclusive given the difference in {} scores",
                results.source
            );
            one(same, verdict.same_source, &unless)
        }
    };
    let unless = "not significant after adjustment";
    [same, one(finished, verdict.finished, unless)]
}

/// A method's verdict in one of the two comparisons, as a table cell.
pub fn says(
    results: &Results,
    verdicts: &[Verdict],
    method: Method,
    comparison: fn(&Verdict) -> Says,
) -> String {
    let verdict = verdicts.iter().find(|one| one.method == method);
    or_dash(verdict, |one| words(results, one, comparison(one)))
}

pub(super) fn words(results: &Results, verdict: &Verdict, says: Says) -> String {
    let model = Method::Model.title();
    let said = match says {
        Says::Reference => match results.method(Method::Model).map(MethodResult::learned) {
            Some(Standing::NotAbove) => "reference, shown not to have learned".to_owned(),
            Some(Standing::Open) => "reference, inconclusive whether it learned".to_owned(),
            _ => "reference".to_owned(),
        },
        Says::LosesLess => "loses less".to_owned(),
        Says::LosesMore => "loses more".to_owned(),
        Says::Equivalent => format!("equivalent within {} points", percent(MARGIN)),
        Says::Inconclusive => "inconclusive".to_owned(),
        Says::DependsOnScale => "depends on the scale".to_owned(),
        Says::NoMatch => format!("no checkpoint of {model} scores nearly the same"),
        Says::NotScored => "not scored".to_owned(),
        Says::NoReference => format!("not compared: no records of {model}"),
        Says::NotLearned => "not comparable: shown not to have learned".to_owned(),
        Says::ReferenceNotLearned => {
            format!("not comparable: {model} is shown not to have learned")
        }
        Says::LearningOpen => "inconclusive whether it learned".to_owned(),
        Says::ReferenceLearningOpen => format!("inconclusive whether {model} learned"),
        Says::AtFloor => "not comparable: at the floor".to_owned(),
        Says::FloorOpen => "inconclusive: not shown to be above the floor".to_owned(),
        Says::NothingVaries => "cannot be estimated".to_owned(),
    };
    let said = match verdict.method {
        Method::Elsewhere if says.is_compared() => {
            format!("{said}; tuned in an unknown way")
        }
        _ => said,
    };
    match (verdict.targets_at_floor, results.targets.len()) {
        (floored, all) if floored > 0 && all > 1 && says.is_compared() => {
            format!("{said} (not shown above the floor on {floored} of {all} targets)")
        }
        _ => said,
    }
}
