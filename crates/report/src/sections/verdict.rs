//! Does tuning fewer parameters lose less? A row for each method, then the answer in three sentences: at the same
//! source score, for finished runs, and the smallest effect that such a study detects.

mod answer;
mod table;
#[cfg(test)]
mod tests;

pub use answer::{answer, learning};
pub use table::{blocks, says, table};

use serde::Serialize;

use super::differences::{AgainstModel, of};
use super::matched::{Matched, Unmatched};
use super::ranking::MethodRanking;
use super::scales::OnScale;
use crate::baselines::{Above, Standing, floor_standing};
use crate::level::Direction;
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
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
    /// Neither direction is significant, and the difference is within [`MARGIN`](crate::level::MARGIN) of zero, in points. Not said of single
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
