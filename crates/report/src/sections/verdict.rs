//! Does tuning less lose less? A row for each method, then the answer in three sentences, no stronger
//! than the intervals: at the same source score, of the finished runs, and the smallest effect that such a study finds.

use serde::Serialize;

use super::differences::{AgainstModel, of};
use super::matched::{self, Matched, Reason, Unmatched};
use super::ranking::{self, MethodRanking};
use super::scales::{self, OnScale};
use crate::baselines::{Standing, decisive};
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::level::Direction;
use crate::number::{count, difference, gap, interval, list, metric_title, percent, points};
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
    /// At the same source score: no checkpoint of model tuning scores nearly as high on source validation.
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
    /// The same methods' differences of finished runs on every scale.
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
        let at_floor = (1..results.domains.len()).filter(|domain| {
            let floored = results.at_floor(*domain);
            floored.contains(&result.method) || floored.contains(&Method::Model)
        });
        let targets_at_floor = at_floor.count();
        let scales = (self.place(result.method)).map_or(Vec::new(), |at| self.scales[at].clone());
        let barred = self.barred(result, targets_at_floor);
        Verdict {
            method: result.method,
            same_source: barred.unwrap_or_else(|| match self.matched(result.method) {
                Some(matched) if !matched.is_match() => Says::NoMatch,
                Some(matched) => Says::of(&[matched.direction()]),
                None => Says::NotScored,
            }),
            finished: barred.unwrap_or_else(|| {
                let said: Vec<Direction> = scales.iter().filter_map(OnScale::direction).collect();
                Says::of(&said)
            }),
            gap_difference: of(self.tests, result.method).map(|tests| tests.mean.gap_difference),
            scales,
            targets_at_floor,
        }
    }

    /// Why a method's loss can't be compared with model tuning's.
    fn barred(&self, result: &MethodResult, targets_at_floor: usize) -> Option<Says> {
        let results = self.results;
        let tests = of(self.tests, result.method);
        // One passage says nothing of another, whatever the runs do.
        let varies = tests.is_none_or(|tests| tests.mean.gap_p_value.is_some())
            && results.domains.iter().all(|domain| domain.passages > 1);
        let own = result.learned();
        let reference = results.method(Method::Model).map(MethodResult::learned);
        let is_floored = targets_at_floor == results.targets.len();
        match result.method {
            Method::Model => Some(Says::Reference),
            _ if !varies => Some(Says::NothingVaries),
            _ if own == Standing::NotAbove => Some(Says::NotLearned),
            _ if reference == Some(Standing::NotAbove) => Some(Says::ReferenceNotLearned),
            _ if own == Standing::Open => Some(Says::LearningOpen),
            _ if reference == Some(Standing::Open) => Some(Says::ReferenceLearningOpen),
            _ if tests.is_none() => Some(Says::NoReference),
            _ if is_floored && floored_everywhere(results, result.method) => Some(Says::AtFloor),
            _ if is_floored => Some(Says::FloorOpen),
            _ => None,
        }
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

    fn is_compared(self) -> bool {
        use Says::{DependsOnScale, Inconclusive, LosesLess, LosesMore};
        [LosesLess, LosesMore, Inconclusive, DependsOnScale].contains(&self)
    }
}

/// Whether on every target the method or model tuning is shown not to be above the floor.
fn floored_everywhere(results: &Results, method: Method) -> bool {
    let both = [method, Method::Model].map(|method| results.method(method));
    (1..results.domains.len()).all(|domain| {
        (both.iter().flatten())
            .any(|result| result.scores[domain].above_floor() == Some(Standing::NotAbove))
    })
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
    let one = |estimate: Option<Estimate>, says: Says| {
        let words = words(results, verdict, says);
        match estimate {
            // Its own interval would say something, were it the only one.
            Some(found) if says == Says::Inconclusive && found.interval.excludes(0.0) => {
                format!("{}, not significant among all methods", difference(found))
            }
            Some(found) => format!("{}, {words}", difference(found)),
            None => words,
        }
    };
    // What bars one comparison bars both, and is said once.
    let is_barred = verdict.same_source == verdict.finished && !verdict.finished.is_compared();
    let same = match is_barred {
        true => UNDEFINED.to_owned(),
        false => one(same, verdict.same_source),
    };
    [same, one(finished, verdict.finished)]
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
        Says::NoMatch => format!("no checkpoint of {model} scores as high"),
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

/// The answer: at the same source score, of the finished runs, and the smallest effect that such a study finds.
pub fn answer(evidence: Evidence, verdicts: &[Verdict]) -> Vec<String> {
    let results = evidence.results;
    // The paper's question is of prompt tuning; another method stands in where that has no records.
    let others = || verdicts.iter().filter(|one| one.method != Method::Model);
    // What was tuned elsewhere stands for no method: how it was tuned is not known.
    let methods = || others().filter(|one| one.method != Method::Elsewhere);
    let subject = methods().find(|one| one.method == Method::Prompt);
    let Some(subject) = subject.or(methods().next()).or(others().next()) else {
        let only = match verdicts.first() {
            Some(_) => Method::Model.title(),
            None => "the untuned backbone",
        };
        return vec![format!(
            "No answer yet: only {only} was scored on {} and {}.",
            results.source,
            list(&results.targets)
        )];
    };
    let beside: Vec<&Verdict> = methods()
        .filter(|one| one.method != subject.method)
        .collect();
    let mut sentences = Vec::new();
    match subject.finished.is_compared() {
        true => {
            let tally = match subject.same_source {
                // The sentence speaks for all.
                Says::NotScored => String::new(),
                _ => tally(&beside),
            };
            sentences.push(same_source(evidence, subject) + &tally + ".");
            sentences.push(finished(evidence, subject) + ".");
        }
        false => sentences.push(not_compared(evidence, subject) + &tally(&beside) + "."),
    }
    let both = [subject.method, Method::Model];
    let of_labels = both.map(|method| ranking::in_short(results, evidence.ranking, method));
    sentences.extend(of_labels.into_iter().flatten());
    sentences.extend(sensitivity(evidence, subject));
    sentences
}

fn same_source(evidence: Evidence, subject: &Verdict) -> String {
    let results = evidence.results;
    let (source, title) = (&results.source, results.title(subject.method));
    let at = format!("At the same {source} score");
    let Some(matched) = evidence.matched(subject.method) else {
        let mut unmatched = evidence.unmatched.iter();
        let why = match unmatched.find(|one| one.method == subject.method) {
            Some(one) if one.reason == Reason::NoValidation => {
                format!("{title} has no score on source validation")
            }
            _ => format!(
                "the records hold no predictions of {}'s checkpoints",
                Method::Model.title()
            ),
        };
        return format!("{at} nothing is compared: {why}");
    };
    let stopped = matched::stopped(matched);
    if subject.same_source == Says::NoMatch {
        let nearest = matched.apart();
        return format!(
            "{at} nothing is compared: on source validation {stopped}, the nearest, scores {} points {} than {title}",
            percent(nearest.abs()),
            match nearest > 0.0 {
                true => "lower",
                false => "higher",
            }
        );
    }
    let ours = results
        .method(subject.method)
        .map_or(0.0, |one| one.source().score.value);
    let Estimate {
        value,
        interval: range,
    } = matched.mean_difference;
    let (size, range) = (percent(value.abs()), interval(range));
    let direction = match value < 0.0 {
        true => "lower",
        false => "higher",
    };
    let scores = format!(
        "it scores {size} points {direction} on {} than {stopped} (95 % CI of the difference {range}; {} and {} on {source})",
        results.target_in_words(),
        percent(ours),
        percent(matched.model_scores[0]),
    );
    match subject.same_source {
        Says::LosesLess => format!("{at} {title} loses less: {scores}"),
        Says::LosesMore => format!("{at} {title} loses more: {scores}"),
        _ => format!("{at} it is inconclusive whether {title} loses less: {scores}"),
    }
}

/// How much less or more the finished runs lose, and what part of that is their score on the source.
fn finished(evidence: Evidence, subject: &Verdict) -> String {
    let results = evidence.results;
    let title = results.title(subject.method);
    let (model, source) = (Method::Model.title(), &results.source);
    let Some((tests, apart)) = of(evidence.tests, subject.method).zip(subject.gap_difference)
    else {
        return format!("Finished runs of {title} are not compared");
    };
    let size = percent(apart.value.abs());
    let less = match apart.value > 0.0 {
        true => "more",
        false => "less",
    };
    let on_source = tests.domains[0].difference.value;
    // The difference of gaps is that of source scores less that of target scores.
    let is_part = on_source * apart.value > 0.0 && on_source.abs() <= apart.value.abs();
    let higher = match on_source > 0.0 {
        true => "higher",
        false => "lower",
    };
    let part = match is_part {
        true => format!(
            ", {} of them because it scores {higher} on {source}",
            percent(on_source.abs())
        ),
        false => format!(
            ", while it scores {} points {higher} on {source}",
            percent(on_source.abs())
        ),
    };
    let range = interval(apart.interval);
    let floored = floors(results, subject);
    let loses = format!("{title} loses {size} points {less} than {model}");
    match subject.finished {
        Says::LosesLess | Says::LosesMore => {
            format!(
                "Finished, {loses} (95 % CI {range}; significant on every scale){part}{floored}"
            )
        }
        Says::DependsOnScale => format!(
            "Finished, {loses} (95 % CI {range}){part}; whether that is significant depends on the scale: {}{floored}",
            scales::in_words(&subject.scales)
        ),
        _ => format!("Finished, it is inconclusive: {loses} (95 % CI {range}){part}{floored}"),
    }
}

/// Why the subject is not compared at all.
fn not_compared(evidence: Evidence, subject: &Verdict) -> String {
    let results = evidence.results;
    let (model, title) = (Method::Model.title(), results.title(subject.method));
    match subject.finished {
        Says::NotLearned | Says::LearningOpen => {
            format!("Gaps not compared: {}", learning(results, subject.method))
        }
        Says::ReferenceNotLearned | Says::ReferenceLearningOpen => {
            format!("Gaps not compared: {}", learning(results, Method::Model))
        }
        Says::NothingVaries => format!(
            "Gaps not compared: with one passage a domain, or where nothing varies, no interval can be given; \
             {title} and {model} differ by {}",
            subject
                .gap_difference
                .map_or(String::new(), |gap| points(gap.value))
        ),
        Says::AtFloor => format!(
            "Gaps not compared, as there is nothing left to lose: {}",
            floored(
                results,
                subject.method,
                Standing::NotAbove,
                |titles, targets| {
                    let are = if titles.len() == 1 { "is" } else { "are" };
                    format!(
                        "{} {are} shown to be no higher than the floor on {targets}",
                        list(titles)
                    )
                }
            )
            .join(", and ")
        ),
        Says::FloorOpen => format!(
            "Gaps not compared: cannot tell whether {}",
            floored(
                results,
                subject.method,
                Standing::Open,
                |titles, targets| {
                    let are = if titles.len() == 1 { "is" } else { "are" };
                    format!("{} {are} above the floor on {targets}", list(titles))
                }
            )
            .join(", or whether ")
        ),
        _ => format!("Gaps not compared: there are no records of {model}"),
    }
}

/// What such a study finds and what it speaks of.
fn sensitivity(evidence: Evidence, subject: &Verdict) -> Option<String> {
    let results = evidence.results;
    let tests = match of(evidence.tests, subject.method) {
        Some(_) if subject.finished == Says::NothingVaries => return None,
        Some(tests) => tests,
        None => {
            let result = results.method(subject.method)?;
            let mean = result.mean_gap?;
            let significant = match mean.interval.excludes(0.0) {
                true => "significant",
                false => "not significant",
            };
            return Some(format!(
                "The gap of {} is {}, {significant}.",
                results.title(subject.method),
                gap(mean)
            ));
        }
    };
    let both = [subject.method, Method::Model];
    let has_one = |method: &&Method| {
        let result = results.method(**method);
        result.is_some_and(|one| one.seeds.len() == 1)
    };
    let (lent, alone): (Vec<Method>, Vec<Method>) =
        (both.iter().filter(has_one)).partition(|method| results.has_lent_spread(**method));
    let with_one_run = |methods: &[Method], means: &str| {
        let titles: Vec<&str> = methods
            .iter()
            .map(|method| results.title(*method))
            .collect();
        match titles.as_slice() {
            [] => String::new(),
            titles => format!(" With one run of {}, {means}", list(titles)),
        }
    };
    let single = with_one_run(
        &alone,
        "this speaks of these runs alone: other seeds may differ by more.",
    ) + &with_one_run(
        &lent,
        "seeds are taken to differ as the other methods' do, which they may not.",
    );
    let elsewhere = match subject.method {
        Method::Elsewhere => format!(
            " How {} was tuned is not known, so this compares no methods.",
            results.title(subject.method)
        ),
        _ => String::new(),
    };
    let matched = evidence.matched(subject.method);
    let same = match matched.filter(|_| subject.same_source.is_compared()) {
        Some(matched) => format!(
            "from {} points in target scores at the same {} score, and ",
            percent(matched.detectable),
            results.source
        ),
        None => String::new(),
    };
    Some(format!(
        "A study of this size has 80 % power {same}from {} points in gaps of finished runs.{single}{elsewhere}",
        percent(tests.mean.gap_detectable),
    ))
}

/// What is said of the method and of model tuning on the targets on which they stand so to the floor; once where these
/// are the same targets.
fn floored(
    results: &Results,
    method: Method,
    wanted: Standing,
    say: impl Fn(&[&str], &str) -> String,
) -> Vec<String> {
    let mut by_targets: Vec<(String, Vec<&str>)> = Vec::new();
    for result in [method, Method::Model]
        .iter()
        .filter_map(|one| results.method(*one))
    {
        let scores = result.targets().iter();
        let targets: Vec<&String> = (scores.zip(&results.targets))
            .filter(|(score, _)| score.above_floor() == Some(wanted))
            .map(|(_, target)| target)
            .collect();
        let targets = list(&targets);
        match by_targets.iter_mut().find(|(known, _)| *known == targets) {
            _ if targets.is_empty() => {}
            Some((_, titles)) => titles.push(&result.title),
            None => by_targets.push((targets, vec![&result.title])),
        }
    }
    let said = by_targets
        .iter()
        .map(|(targets, titles)| say(titles, targets));
    said.collect()
}

/// Why a method's gap says nothing: that it is shown not to have learned the source, or that this cannot be told.
pub fn learning(results: &Results, method: Method) -> String {
    let (title, source) = (results.title(method), &results.source);
    let Some(result) = results.method(method) else {
        return format!("{title} has no records");
    };
    let apart = match decisive(&result.source().above) {
        None => "no baseline was scored".to_owned(),
        Some(one) => format!(
            "its score there minus that of {} is {} points",
            one.baseline.title(),
            difference(one.difference)
        ),
    };
    match result.learned() {
        Standing::Above => format!("{title} learned {source}: {apart}"),
        Standing::NotAbove => format!("{title} is shown not to have learned {source}: {apart}"),
        Standing::Open => format!("cannot tell whether {title} learned {source}: {apart}"),
    }
}

/// Where some of the targets have little left to lose.
fn floors(results: &Results, subject: &Verdict) -> String {
    match (subject.targets_at_floor, results.targets.len()) {
        (0, _) => String::new(),
        (floored, all) if floored == all => String::new(),
        (floored, all) => format!(
            "; on {floored} of the {all} targets one of the two is not shown to be above the floor, where gaps say little"
        ),
    }
}

/// How many of the other methods lose less or more at the same source score.
fn tally(others: &[&Verdict]) -> String {
    let of = |wanted: Says| {
        others
            .iter()
            .filter(|one| one.same_source == wanted)
            .count()
    };
    let (less, more, open) = (
        of(Says::LosesLess),
        of(Says::LosesMore),
        of(Says::Inconclusive),
    );
    let rest = others.len() - less - more - open;
    let counts = [
        (less, "losing less"),
        (more, "losing more"),
        (open, "inconclusive"),
        (rest, "not comparable"),
    ];
    let counts: Vec<String> = (counts.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    match (others.len(), less + more + open) {
        (0, _) => String::new(),
        (1, 0) => "; nor is the other method".to_owned(),
        (all, 0) => format!("; nor are the other {}", count(all, "method")),
        (all, _) => format!(
            "; of the other {}, all tested together: {}",
            count(all, "method"),
            counts.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::compare;
    use crate::fixture::Fixture;
    use crate::study::studies;

    /// What is said of prompt tuning: at the same source score, and of finished runs.
    fn said_of(fixture: &Fixture) -> [Says; 2] {
        let (verdict, _) = verdict_of(fixture);
        [verdict.same_source, verdict.finished]
    }

    /// The verdict on prompt tuning, and the answer.
    fn verdict_of(fixture: &Fixture) -> (Verdict, String) {
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let mut comparison = compare(&studies[0]).expect("consistent");
        assert_eq!(comparison.verdict.len(), 2);
        assert_eq!(comparison.verdict[0].finished, Says::Reference);
        (comparison.verdict.remove(1), comparison.answer.join(" "))
    }

    /// Prompt tuning and model tuning with these chances of a right answer.
    fn scoring(source: [f64; 2], target: [f64; 2]) -> Fixture {
        let mut fixture = Fixture::one_target();
        fixture.domains[0].1 = [0.05, source[0], source[1]];
        fixture.domains[1].1 = [0.05, target[0], target[1]];
        fixture
    }

    #[test]
    fn finished_runs_are_judged_by_their_intervals_and_by_what_was_learned() {
        for (source, target, wanted) in [
            ([0.8, 0.8], [0.7, 0.4], Says::LosesLess),
            ([0.8, 0.8], [0.4, 0.7], Says::LosesMore),
            ([0.8, 0.8], [0.6, 0.6], Says::Inconclusive),
            // Far less in points, but not so as a share of what there was to lose.
            ([0.55, 0.9], [0.4, 0.55], Says::DependsOnScale),
            ([0.1, 0.8], [0.1, 0.6], Says::NotLearned),
            ([0.25, 0.8], [0.1, 0.6], Says::LearningOpen),
            ([0.8, 0.1], [0.6, 0.1], Says::ReferenceNotLearned),
            ([0.8, 0.25], [0.6, 0.1], Says::ReferenceLearningOpen),
            ([0.8, 0.8], [0.1, 0.6], Says::AtFloor),
            ([0.8, 0.8], [0.28, 0.6], Says::FloorOpen),
        ] {
            let [_, finished] = said_of(&scoring(source, target));
            assert_eq!(finished, wanted, "{source:?} {target:?}");
        }
    }

    /// What the answer, the verdict's cell and the caution say of what was learned, and of the floor.
    fn words_of(fixture: &Fixture) -> String {
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let comparison = compare(&studies[0]).expect("consistent");
        let cells = comparison.verdict.iter();
        let cells = cells.map(|verdict| words(&comparison.results, verdict, verdict.finished));
        let cautions = comparison.cautions.iter().map(|one| one.seen.clone());
        let words: Vec<String> = (comparison.answer.iter().cloned())
            .chain(cells)
            .chain(cautions)
            .collect();
        words.join("\n")
    }

    #[test]
    fn a_wide_interval_is_never_called_a_failure_to_learn() {
        for (source, is_shown) in [(0.1, true), (0.25, false)] {
            let words = words_of(&scoring([source, 0.8], [0.1, 0.6]));
            assert_eq!(
                words.contains("prompt tuning is shown not to have learned squad: its score there minus that of a random"),
                is_shown,
                "{words}"
            );
            assert_eq!(
                words.contains("cannot tell whether prompt tuning learned squad: its score there minus that of a random"),
                !is_shown,
                "{words}"
            );
            assert_eq!(
                words.contains("cannot tell whether it learned"),
                !is_shown,
                "{words}"
            );
        }
        let words = words_of(&scoring([0.8, 0.8], [0.6, 0.6]));
        assert!(!words.contains("learned squad"), "{words}");
    }

    #[test]
    fn nothing_left_to_lose_is_said_of_what_is_shown_to_be_at_the_floor() {
        for (target, is_shown) in [(0.22, true), (0.28, false)] {
            let words = words_of(&scoring([0.8, 0.8], [target, 0.6]));
            assert_eq!(words.contains("nothing left to lose"), is_shown, "{words}");
            let open = "cannot tell whether prompt tuning is above the floor on textbookqa";
            assert_eq!(words.contains(open), !is_shown, "{words}");
        }
    }

    #[test]
    fn each_method_is_at_the_floor_of_its_own_targets() {
        let mut fixture = Fixture::six_targets();
        fixture.domains.truncate(3);
        for (prompt, model, wanted) in [
            (
                0.1,
                0.1,
                "nothing left to lose: prompt tuning is shown to be no higher than the floor on textbookqa, and model \
                 tuning is shown to be no higher than the floor on bioasq",
            ),
            (
                0.28,
                0.1,
                "Gaps not compared: cannot tell whether prompt tuning is above the floor on textbookqa",
            ),
        ] {
            fixture.domains[0].1 = [0.05, 0.8, 0.8];
            fixture.domains[1].1 = [0.05, prompt, 0.6];
            fixture.domains[2].1 = [0.05, 0.6, model];
            let words = words_of(&fixture);
            assert!(words.contains(wanted), "{words}");
        }
    }

    #[test]
    fn a_smaller_loss_of_a_lower_score_is_no_robustness() {
        // Finished, prompt tuning loses far less; stopped as low on the source, model tuning scores as high on the target.
        let mut fixture = scoring([0.65, 0.8], [0.62, 0.35]);
        fixture.together = -2.7;
        let (verdict, answer) = verdict_of(&fixture);
        assert_eq!(verdict.finished, Says::LosesLess, "{answer}");
        assert_eq!(verdict.same_source, Says::Inconclusive, "{answer}");
        assert!(
            answer.starts_with("At the same squad score it is inconclusive"),
            "{answer}"
        );
        assert!(
            answer.contains("of them because it scores lower on squad"),
            "{answer}"
        );
        // Where its target score was lower at that step, the loss is less at the same source score too.
        fixture.together = 1.0;
        assert_eq!(said_of(&fixture), [Says::LosesLess; 2]);
        let (_, answer) = verdict_of(&fixture);
        assert!(
            answer.contains("prompt tuning loses less: it scores"),
            "{answer}"
        );
        // And where it was higher, more.
        let mut fixture = scoring([0.65, 0.8], [0.45, 0.45]);
        fixture.together = -2.0;
        assert_eq!(said_of(&fixture)[0], Says::LosesMore);
    }

    #[test]
    fn scores_that_no_checkpoint_reaches_are_not_compared() {
        let mut fixture = scoring([0.3, 0.95], [0.4, 0.6]);
        fixture.passages = 300;
        let (verdict, answer) = verdict_of(&fixture);
        assert_eq!(verdict.same_source, Says::NoMatch, "{answer}");
        assert!(answer.contains("the nearest, scores"), "{answer}");
        fixture.domains[0].1[Method::Prompt as usize] = 0.38;
        assert_ne!(verdict_of(&fixture).0.same_source, Says::NoMatch);
        let mut records = fixture.records();
        records.iter_mut().for_each(|one| one.checkpoints.clear());
        for training in records
            .iter_mut()
            .filter_map(|one| one.record.training.as_mut())
        {
            training.checkpoints.clear();
        }
        let studies = studies(&records, &[]).expect("they belong together");
        let comparison = compare(&studies[0]).expect("consistent");
        assert_eq!(comparison.verdict[1].same_source, Says::NotScored);
        assert!(
            comparison.answer[0].contains("hold no predictions"),
            "{:?}",
            comparison.answer
        );
    }

    #[test]
    fn one_run_speaks_of_itself() {
        let mut fixture = scoring([0.8, 0.8], [0.7, 0.4]);
        assert!(!verdict_of(&fixture).1.contains("these runs alone"));
        let mut records = fixture.records();
        records.retain(|one| one.record.cell.method != Method::Prompt || one.record.cell.seed == 0);
        let studies = studies(&records, &[]).expect("they belong together");
        let lent = compare(&studies[0]).expect("consistent").answer.join(" ");
        let means =
            "With one run of prompt tuning, seeds are taken to differ as the other methods' do";
        assert!(
            lent.contains(means) && !lent.contains("these runs alone"),
            "{lent}"
        );
        fixture.seeds = vec![0];
        let (_, answer) = verdict_of(&fixture);
        assert!(answer.contains("these runs alone"), "{answer}");
    }

    #[test]
    fn where_nothing_varies_nothing_is_concluded() {
        let mut fixture = scoring([0.99, 0.99], [0.99, 0.75]);
        assert_eq!(said_of(&fixture)[1], Says::LosesLess);
        (fixture.seeds, fixture.passages) = (vec![0], 1);
        assert_eq!(said_of(&fixture), [Says::NothingVaries; 2]);
        let (_, answer) = verdict_of(&fixture);
        assert!(
            !answer.contains("power") && !answer.contains("CI"),
            "{answer}"
        );
    }

    #[test]
    fn floors_on_all_targets_leave_nothing_to_compare_and_floors_on_some_are_said() {
        let mut fixture = Fixture::six_targets();
        fixture.domains.truncate(3);
        for (chances, is_all) in [([0.1, 0.1], true), ([0.1, 0.6], false)] {
            for (domain, prompt) in [(1, chances[0]), (2, chances[1])] {
                fixture.domains[domain].1 = [0.05, prompt, 0.6];
            }
            let (verdict, answer) = verdict_of(&fixture);
            assert_eq!(verdict.finished == Says::AtFloor, is_all, "{answer}");
            assert!(answer.contains("floor"), "{answer}");
        }
    }

    #[test]
    fn a_row_without_a_value_has_a_dash() {
        let fixture = Fixture::one_target();
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let comparison = compare(&studies[0]).expect("consistent");
        let table = table(comparison.evidence(), &comparison.verdict);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows[0][4], UNDEFINED, "model tuning is the reference");
        assert_eq!(table.rows[0][5], "reference");
    }
}
