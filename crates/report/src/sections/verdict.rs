//! Does tuning fewer parameters lose less? A row for each method, then the answer in three sentences: at the same
//! source score, for finished runs, and the smallest effect that such a study detects.

mod answer;
#[cfg(test)]
mod tests;

pub use answer::{answer, learning};

use serde::Serialize;

use super::differences::{AgainstModel, of};
use super::matched::{Matched, Unmatched};
use super::ranking::MethodRanking;
use super::scales::OnScale;
use crate::baselines::{Above, Standing, floor_standing};
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::level::{Direction, MARGIN};
use crate::number::{count, difference, gap, list, metric_title, percent};
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::Estimate;

/// The verdict on one tuned method compared with model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    pub method: Method,
    /// The verdict compared with model tuning stopped at the same source score.
    pub same_source: Says,
    /// The verdict on finished runs.
    pub finished: Says,
    /// Its mean gap minus model tuning's, for finished runs; negative means that it loses less. Absent if either has
    /// no records.
    pub gap_difference: Option<Estimate>,
    /// The difference in losses on every scale.
    pub scales: Vec<OnScale>,
    /// The targets on which the method or model tuning is not shown to be above the floor.
    pub targets_at_floor: usize,
}

/// The outcome of a comparison of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The method is model tuning, with which the others are compared.
    Reference,
    /// The method loses less, by the adjusted p value; for finished runs on every scale.
    LosesLess,
    /// The method loses more, likewise.
    LosesMore,
    /// Neither direction is significant, and the difference is within [`MARGIN`] of zero, in points. Not said of single
    /// runs, nor with a target on which one of the two is not shown to be above the floor.
    Equivalent,
    /// Neither direction is significant, and the difference may be larger than that.
    Inconclusive,
    /// For finished runs: scales disagree.
    DependsOnScale,
    /// At the same source score: no checkpoint of model tuning scores nearly the same on source validation.
    NoMatch,
    /// At the same source score: there are no predictions of model tuning's checkpoints, or the method has no
    /// validation score.
    NotScored,
    /// There are no records of model tuning.
    NoReference,
    /// The method is shown not to have learned the source.
    NotLearned,
    /// Model tuning is shown not to have learned the source.
    ReferenceNotLearned,
    /// It is inconclusive whether the method learned the source.
    LearningOpen,
    /// It is inconclusive whether model tuning learned the source.
    ReferenceLearningOpen,
    /// On every target one of the two is shown not to be above the floor, so it cannot lose more.
    AtFloor,
    /// On every target one of the two is not shown to be above the floor, and on some it is inconclusive.
    FloorOpen,
    /// A domain has one passage, or nothing varies in the records, so there is no interval.
    NothingVaries,
}

/// The numbers behind the verdicts.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The scores of each method.
    pub results: &'a Results,
    /// Every other tuned method against model tuning.
    pub tests: &'a [AgainstModel],
    /// The methods compared with model tuning stopped at the same source score.
    pub matched: &'a [Matched],
    /// The methods that could not be matched.
    pub unmatched: &'a [Unmatched],
    /// The differences of finished runs on every scale, for the methods of `tests` in their order.
    pub scales: &'a [Vec<OnScale>],
    /// The rankings of two classes.
    pub ranking: &'a [MethodRanking],
}

impl Evidence<'_> {
    fn place(&self, method: Method) -> Option<usize> {
        self.tests.iter().position(|one| one.method == method)
    }

    fn matched(&self, method: Method) -> Option<&Matched> {
        self.matched.iter().find(|one| one.method == method)
    }

    /// The verdicts on the tuned methods, the most trainable parameters first.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let tuned = self.results.by_parameters().into_iter();
        tuned
            .filter(|result| result.method != Method::Untuned)
            .map(|result| self.verdict(result))
            .collect()
    }

    fn verdict(&self, result: &MethodResult) -> Verdict {
        let results = self.results;
        let model = results.method(Method::Model);
        let finished_floor = targets_where(result, |domain| {
            let scores = [Some(result), model].map(|one| Some(&one?.scores[domain].above));
            floor_of(scores.into_iter().flatten())
        });
        let stopped = self.matched(result.method);
        let stopped_floor = targets_where(result, |domain| {
            let own = &result.scores[domain].above;
            floor_of(([own].into_iter()).chain(stopped.map(|one| &one.above[domain])))
        });
        let scales = (self.place(result.method)).map_or(Vec::new(), |at| self.scales[at].clone());
        let barred = self.barred(result);
        let is_one_run = results.is_of_these_runs(result.method);
        // Scores at a floor are equal whatever was lost, and single runs do not show how much others differ.
        let compared = |said: &[Direction], floor: &[Standing]| match Says::of(said) {
            Says::Equivalent if is_one_run || floor.iter().any(|one| *one != Standing::Above) => {
                Says::Inconclusive
            }
            says => says,
        };
        let same_source = || match stopped {
            None => Says::NotScored,
            Some(matched) if !matched.is_match() => Says::NoMatch,
            Some(matched) => says_of_floor(&stopped_floor)
                .unwrap_or_else(|| compared(&[matched.direction()], &stopped_floor)),
        };
        let finished = || {
            let reference = match model.map(MethodResult::learned) {
                Some(Standing::NotAbove) => Some(Says::ReferenceNotLearned),
                Some(Standing::Open) => Some(Says::ReferenceLearningOpen),
                Some(Standing::Above) | None => None,
            };
            let barred = reference.or_else(|| says_of_floor(&finished_floor));
            barred.unwrap_or_else(|| {
                let said: Vec<Direction> = scales.iter().filter_map(OnScale::direction).collect();
                compared(&said, &finished_floor)
            })
        };
        let is_floored = |standing: &&Standing| **standing != Standing::Above;
        Verdict {
            method: result.method,
            same_source: barred.unwrap_or_else(same_source),
            finished: barred.unwrap_or_else(finished),
            gap_difference: of(self.tests, result.method).map(|tests| tests.mean.gap_difference),
            targets_at_floor: finished_floor.iter().filter(is_floored).count(),
            scales,
        }
    }

    /// Why a method's loss cannot be compared with model tuning's in either comparison.
    fn barred(&self, result: &MethodResult) -> Option<Says> {
        let tests = of(self.tests, result.method);
        let varies = tests.is_some_and(|tests| tests.mean.gap_p_value.is_some());
        // One passage says nothing about others.
        let has_passages = (self.results.domains.iter()).all(|domain| domain.passages > 1);
        let own = result.learned();
        match result.method {
            Method::Model => Some(Says::Reference),
            _ if tests.is_some() && !(varies && has_passages) => Some(Says::NothingVaries),
            _ if own == Standing::NotAbove => Some(Says::NotLearned),
            _ if own == Standing::Open => Some(Says::LearningOpen),
            _ if tests.is_none() => Some(Says::NoReference),
            _ => None,
        }
    }
}

/// The standing on each target of a method.
fn targets_where(result: &MethodResult, of: impl Fn(usize) -> Standing) -> Vec<Standing> {
    (1..result.scores.len()).map(of).collect()
}

/// The lowest standing of several scores on a domain relative to its floor, by their differences to the baselines
/// there.
fn floor_of<'a>(scores: impl Iterator<Item = &'a Vec<Above>>) -> Standing {
    let standings: Vec<Standing> = scores.filter_map(|above| floor_standing(above)).collect();
    ([Standing::NotAbove, Standing::Open].into_iter())
        .find(|wanted| standings.contains(wanted))
        .unwrap_or(Standing::Above)
}

/// Why losses cannot be compared if one of the two methods is not shown to be above the floor on any target.
fn says_of_floor(targets: &[Standing]) -> Option<Says> {
    match targets {
        all if all.contains(&Standing::Above) => None,
        all if all.contains(&Standing::Open) => Some(Says::FloorOpen),
        _ => Some(Says::AtFloor),
    }
}

impl Says {
    /// The outcome of several comparisons together.
    fn of(said: &[Direction]) -> Says {
        match said {
            all if all.iter().all(|one| *one == Direction::Less) => Says::LosesLess,
            all if all.iter().all(|one| *one == Direction::More) => Says::LosesMore,
            all if all.contains(&Direction::Less) || all.contains(&Direction::More) => {
                Says::DependsOnScale
            }
            all if all.contains(&Direction::Equivalent) => Says::Equivalent,
            _ => Says::Inconclusive,
        }
    }

    /// Whether losses were compared.
    pub fn is_compared(self) -> bool {
        use Says::{DependsOnScale, Equivalent, Inconclusive, LosesLess, LosesMore};
        [
            LosesLess,
            LosesMore,
            Equivalent,
            Inconclusive,
            DependsOnScale,
        ]
        .contains(&self)
    }
}

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
    let header = [
        String::new(),
        format!("{} {metric}", results.source),
        format!("{} {metric}", results.target()),
        "gap [95 %]".to_owned(),
        format!(
            "same {} score: {} − {model}'s [95 %]",
            results.source,
            results.target()
        ),
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

fn words(results: &Results, verdict: &Verdict, says: Says) -> String {
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
