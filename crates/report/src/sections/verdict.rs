//! Does tuning less lose less? A row for each method, then the answer in three sentences, no stronger
//! than the intervals: at the same source score, of the finished runs, and the smallest effect that such a study finds.

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
use crate::level::Direction;
use crate::number::{count, difference, gap, list, metric_title, percent};
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::Estimate;

/// What is said of one tuned method beside model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The method.
    pub method: Method,
    /// What is said beside model tuning stopped at the same source score.
    pub same_source: Says,
    /// What is said of the finished runs.
    pub finished: Says,
    /// Its mean gap minus model tuning's, of the finished runs: negative loses less. Absent where either has no
    /// records.
    pub gap_difference: Option<Estimate>,
    /// The same on every scale.
    pub scales: Vec<OnScale>,
    /// The targets on which the method or model tuning is not shown to be above the floor.
    pub targets_at_floor: usize,
}

/// What a comparison of losses says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// This is model tuning, which the others are compared with.
    Reference,
    /// The method loses less, by the adjusted p value; of finished runs on every scale.
    LosesLess,
    /// It loses more, likewise.
    LosesMore,
    /// Neither is significant.
    Inconclusive,
    /// Of finished runs: one scale says something that another does not.
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
    /// Model tuning is.
    ReferenceNotLearned,
    /// Whether the method learned the source cannot be told.
    LearningOpen,
    /// Whether model tuning did cannot be told.
    ReferenceLearningOpen,
    /// On every target one of them is shown not to be above the floor: it has nothing left to lose.
    AtFloor,
    /// On every target one of them is not shown to be above the floor, and on some nor to be at it.
    FloorOpen,
    /// A domain has one passage, or nothing varies in the records: there is no interval to go by.
    NothingVaries,
}

/// What the verdicts are made of.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What each method scores.
    pub results: &'a Results,
    /// Every other tuned method against model tuning.
    pub tests: &'a [AgainstModel],
    /// Those beside model tuning stopped at the same source score.
    pub matched: &'a [Matched],
    /// Those that nothing was matched with.
    pub unmatched: &'a [Unmatched],
    /// The differences of finished runs on every scale, of the methods of `tests` in their order.
    pub scales: &'a [Vec<OnScale>],
    /// How well each ranks two classes.
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
            floor_of(
                [own]
                    .into_iter()
                    .chain(stopped.map(|one| &one.above[domain])),
            )
        });
        let scales = (self.place(result.method)).map_or(Vec::new(), |at| self.scales[at].clone());
        let barred = self.barred(result);
        let same_source = || match stopped {
            None => Says::NotScored,
            Some(matched) if !matched.is_match() => Says::NoMatch,
            Some(matched) => {
                says_of_floor(&stopped_floor).unwrap_or_else(|| Says::of(&[matched.direction()]))
            }
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
                Says::of(&said)
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

    /// Why a method's loss can't be compared with model tuning's in any way.
    fn barred(&self, result: &MethodResult) -> Option<Says> {
        let tests = of(self.tests, result.method);
        let varies = tests.is_some_and(|tests| tests.mean.gap_p_value.is_some());
        // One passage says nothing of another, whatever the runs do.
        let has_passages = self
            .results
            .domains
            .iter()
            .all(|domain| domain.passages > 1);
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

/// What is found on each target of a method.
fn targets_where(result: &MethodResult, of: impl Fn(usize) -> Standing) -> Vec<Standing> {
    (1..result.scores.len()).map(of).collect()
}

/// Where the lowest of several scores on a domain stands to its floor, by their differences to the baselines there.
fn floor_of<'a>(scores: impl Iterator<Item = &'a Vec<Above>>) -> Standing {
    let standings: Vec<Standing> = scores.filter_map(|above| floor_standing(above)).collect();
    [Standing::NotAbove, Standing::Open]
        .into_iter()
        .find(|wanted| standings.contains(wanted))
        .unwrap_or(Standing::Above)
}

/// What bars a comparison on targets where one of the two is not shown to be above the floor: on all of them.
fn says_of_floor(targets: &[Standing]) -> Option<Says> {
    match targets {
        all if all.contains(&Standing::Above) => None,
        all if all.contains(&Standing::Open) => Some(Says::FloorOpen),
        _ => Some(Says::AtFloor),
    }
}

impl Says {
    /// What all of several comparisons say.
    fn of(said: &[Direction]) -> Says {
        match said {
            all if all.iter().all(|one| *one == Direction::Open) => Says::Inconclusive,
            all if all.iter().all(|one| *one == Direction::Less) => Says::LosesLess,
            all if all.iter().all(|one| *one == Direction::More) => Says::LosesMore,
            _ => Says::DependsOnScale,
        }
    }

    /// Whether a comparison was made.
    pub fn is_compared(self) -> bool {
        use Says::{DependsOnScale, Inconclusive, LosesLess, LosesMore};
        [LosesLess, LosesMore, Inconclusive, DependsOnScale].contains(&self)
    }
}

/// The question, the table and the answer.
pub fn blocks(evidence: Evidence, verdicts: &[Verdict], answer: &[String]) -> Vec<Block> {
    let results = evidence.results;
    let targets = match results.targets.as_slice() {
        [one] => one.clone(),
        many => count(many.len(), "other domain"),
    };
    // A start that was tuned on a target before is no zero-shot transfer to it.
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
        before => format!(" The initialisation was tuned on {} before.", list(before)),
    };
    let words = format!("{}{before}", answer.join(" "));
    vec![
        Block::text(question),
        table(evidence, verdicts).into(),
        Block::text(words),
    ]
}

/// A row for each method: its score on the source, its mean on targets, its gap, and the two comparisons with model
/// tuning: at the same source score, and of the finished runs.
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

/// What a row says at the same source score, and of the finished runs.
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
            // Its own interval would say something, were it all.
            Some(found) if says == Says::Inconclusive && found.interval.excludes(0.0) => {
                format!("{}, {unless}", difference(found))
            }
            Some(found) => format!("{}, {words}", difference(found)),
            None => words,
        }
    };
    // What bars one comparison bars both, and is said once.
    let is_barred = verdict.same_source == verdict.finished && !verdict.finished.is_compared();
    let same = match is_barred {
        true => UNDEFINED.to_owned(),
        false => {
            let unless = format!(
                "inconclusive once the {} scores are allowed for",
                results.source
            );
            one(same, verdict.same_source, &unless)
        }
    };
    let unless = "not significant among all methods";
    [same, one(finished, verdict.finished, unless)]
}

/// What is said of a method in one of the two comparisons, in a cell.
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
            Some(Standing::Open) => "reference, cannot tell whether it learned".to_owned(),
            _ => "reference".to_owned(),
        },
        Says::LosesLess => "loses less".to_owned(),
        Says::LosesMore => "loses more".to_owned(),
        Says::Inconclusive => "inconclusive".to_owned(),
        Says::DependsOnScale => "depends on the scale".to_owned(),
        Says::NoMatch => format!("no checkpoint of {model} scores nearly the same"),
        Says::NotScored => "not scored".to_owned(),
        Says::NoReference => format!("not compared: no records of {model}"),
        Says::NotLearned => "not comparable: shown not to have learned".to_owned(),
        Says::ReferenceNotLearned => {
            format!("not comparable: {model} is shown not to have learned")
        }
        Says::LearningOpen => "cannot tell whether it learned".to_owned(),
        Says::ReferenceLearningOpen => format!("cannot tell whether {model} learned"),
        Says::AtFloor => "not comparable: at the floor".to_owned(),
        Says::FloorOpen => "cannot tell: not shown to be above the floor".to_owned(),
        Says::NothingVaries => "cannot be estimated".to_owned(),
    };
    let said = match verdict.method {
        Method::Elsewhere if says.is_compared() => {
            format!("{said}; how it was tuned is not known")
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
