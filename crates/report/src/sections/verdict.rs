//! Does tuning less lose less? A row for each method, then the answer in two sentences, no stronger
//! than the intervals.

use serde::Serialize;

use super::differences::{AgainstModel, of};
use crate::document::{Block, Table, or_dash};
use crate::number::{
    capital, count, difference, gap, interval, list, metric_title, percent, points,
};
use crate::results::{Learned, MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::Estimate;

/// What the mean gap of one tuned method says beside model tuning's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The method.
    pub method: Method,
    /// Its mean gap minus model tuning's: negative loses less. Absent where either has no records.
    pub gap_difference: Option<Estimate>,
    /// What the interval of that difference says.
    pub says: Says,
    /// The targets on which the method or model tuning is not clearly above the floor.
    pub targets_at_floor: usize,
}

/// What a comparison of gaps says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// This is model tuning, which the others are compared with.
    Reference,
    /// The whole interval is below zero.
    LosesLess,
    /// The whole interval is above zero.
    LosesMore,
    /// It includes zero.
    Inconclusive,
    /// There are no records of model tuning.
    NoReference,
    /// The method did not clearly beat the baselines on the source.
    NotLearned,
    /// Model tuning did not.
    ReferenceNotLearned,
    /// On every target one of them is not clearly above the floor: it has nothing left to lose.
    AtFloor,
    /// Nothing varies in the records, such as with one run on one passage: there is no interval to go by.
    NothingVaries,
}

/// The verdicts on the tuned methods, the most trainable parameters first.
pub fn verdicts(results: &Results, tests: &[AgainstModel]) -> Vec<Verdict> {
    let tuned = results.by_parameters().into_iter();
    tuned
        .filter(|result| result.method != Method::Untuned)
        .map(|result| verdict(results, result, of(tests, result.method)))
        .collect()
}

fn verdict(results: &Results, result: &MethodResult, tests: Option<&AgainstModel>) -> Verdict {
    let learned = |result: &MethodResult| result.learned(&results.domains[0]) == Learned::Yes;
    let varies = tests.is_none_or(|tests| tests.mean.gap_p_value.is_some());
    let reference = results.method(Method::Model);
    let at_floor = (1..results.domains.len()).filter(|domain| {
        let floored = results.at_floor(*domain);
        floored.contains(&result.method) || floored.contains(&Method::Model)
    });
    let targets_at_floor = at_floor.count();
    let gap_difference = tests.map(|tests| tests.mean.gap_difference);
    let says = match (result.method, gap_difference) {
        (Method::Model, _) => Says::Reference,
        _ if !learned(result) => Says::NotLearned,
        _ if reference.is_some_and(|model| !learned(model)) => Says::ReferenceNotLearned,
        (_, None) => Says::NoReference,
        _ if targets_at_floor == results.targets.len() => Says::AtFloor,
        _ if !varies => Says::NothingVaries,
        (_, Some(gap)) if gap.interval.high < 0.0 => Says::LosesLess,
        (_, Some(gap)) if gap.interval.low > 0.0 => Says::LosesMore,
        _ => Says::Inconclusive,
    };
    Verdict {
        method: result.method,
        gap_difference,
        says,
        targets_at_floor,
    }
}

/// The question, the table and the answer.
pub fn blocks(results: &Results, verdicts: &[Verdict], answer: &[String]) -> Vec<Block> {
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
        table(results, verdicts).into(),
        Block::text(words),
    ]
}

/// A row for each method: its score on the source, its mean on targets, its gap, that gap's difference
/// to model tuning's, and the verdict.
pub fn table(results: &Results, verdicts: &[Verdict]) -> Table {
    let metric = metric_title(results.metric);
    let header = [
        String::new(),
        format!("{} {metric}", results.source),
        format!("{} {metric}", results.target()),
        "gap [95 %]".to_owned(),
        format!("gap − {}'s [95 %]", Method::Model.title()),
        "verdict".to_owned(),
    ];
    let mut rows: Vec<Vec<String>> = (verdicts.iter())
        .filter_map(|verdict| {
            let result = results.method(verdict.method)?;
            Some(vec![
                named(results, result),
                percent(result.source().score.value),
                or_dash(result.mean_target, |mean| percent(mean.value)),
                or_dash(result.mean_gap, gap),
                or_dash(verdict.gap_difference, difference),
                says(results, verdict),
            ])
        })
        .collect();
    let absent = |method: &Method| results.method(*method).is_none();
    rows.extend(results.reported().into_iter().filter(absent).map(|method| {
        let mut row = vec![results.title(method).to_owned()];
        row.resize(header.len(), results.absent(method).to_owned());
        row
    }));
    Table::new(header).words(&[0, 5]).rows(rows)
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

fn says(results: &Results, verdict: &Verdict) -> String {
    let model = Method::Model.title();
    let baselines = "did not clearly beat the baselines";
    let says = match verdict.says {
        Says::Reference => match results.method(Method::Model) {
            Some(result) if result.learned(&results.domains[0]) != Learned::Yes => {
                format!("reference, {baselines}")
            }
            _ => "reference".to_owned(),
        },
        Says::LosesLess => "loses less".to_owned(),
        Says::LosesMore => "loses more".to_owned(),
        Says::Inconclusive => "inconclusive".to_owned(),
        Says::NoReference => format!("not compared: no records of {model}"),
        Says::NotLearned => format!("not comparable: {baselines}"),
        Says::ReferenceNotLearned => format!("not comparable: {model} {baselines}"),
        Says::AtFloor => "not comparable: at the floor".to_owned(),
        Says::NothingVaries => "cannot be estimated: nothing varies".to_owned(),
    };
    let says = match (verdict.method, verdict.says) {
        (Method::Elsewhere, Says::LosesLess | Says::LosesMore | Says::Inconclusive) => {
            format!("{says}; how it was tuned is not known")
        }
        _ => says,
    };
    match (verdict.targets_at_floor, results.targets.len()) {
        (0, _) | (_, 1) => says,
        (floored, all) => format!("{says} (floor on {floored} of {all} targets)"),
    }
}

/// The answer, and the smallest effect that such a study finds.
pub fn answer(results: &Results, verdicts: &[Verdict], tests: &[AgainstModel]) -> Vec<String> {
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
    let model = Method::Model.title();
    let title = results.title(subject.method);
    let beside = methods().filter(|one| one.method != subject.method);
    let beside = floors(results, subject) + &tally(&beside.collect::<Vec<_>>());
    let beside = match subject.method {
        Method::Elsewhere => {
            format!("{beside}; how {title} was tuned is not known, so this compares no methods")
        }
        _ => beside,
    };
    let estimate = subject.gap_difference.map_or(String::new(), |gap| {
        let (size, range) = (points(gap.value), interval(gap.interval));
        format!("gap difference {size} points, 95 % CI {range}")
    });
    let clearly = "did not clearly beat the baselines on";
    let said = match subject.says {
        Says::LosesLess => format!("{} loses less than {model}: {estimate}", capital(title)),
        Says::LosesMore => format!("{} loses more than {model}: {estimate}", capital(title)),
        Says::NotLearned => {
            format!("Gaps not compared: {title} {clearly} {}", results.source)
        }
        Says::ReferenceNotLearned => {
            format!("Gaps not compared: {model} {clearly} {}", results.source)
        }
        Says::NothingVaries => format!(
            "Gaps not compared: with one run and one passage a domain nothing varies, so no interval can be given; \
             {title} and {model} differ by {}",
            subject
                .gap_difference
                .map_or(String::new(), |gap| points(gap.value))
        ),
        Says::AtFloor => {
            let is_floored = |method: &Method| {
                (1..results.domains.len()).any(|domain| results.at_floor(domain).contains(method))
            };
            let floored: Vec<&str> = ([subject.method, Method::Model].iter())
                .filter(|method| is_floored(method))
                .map(|method| results.title(*method))
                .collect();
            format!(
                "Gaps not compared: on {} the score of {} is not clearly above the floor, so there is nothing \
                 left to lose",
                list(&results.targets),
                list(&floored)
            )
        }
        Says::NoReference => format!("Gaps not compared: there are no records of {model}"),
        Says::Reference | Says::Inconclusive => {
            format!("Inconclusive whether {title} or {model} loses less: {estimate}")
        }
    };
    let second = match (of(tests, subject.method), results.method(subject.method)) {
        (Some(_), _) if subject.says == Says::NothingVaries => None,
        (Some(tests), _) => Some(format!(
            "A study of this size has 80 % power from a gap difference of {} points, and from a difference of {} points \
             in target scores.",
            percent(tests.mean.gap_detectable),
            percent(tests.mean.score_detectable)
        )),
        (None, Some(result)) => result.mean_gap.map(|mean| {
            let significant = match mean.interval.excludes(0.0) {
                true => "significant",
                false => "not significant",
            };
            format!("The gap of {title} is {}, {significant}.", gap(mean))
        }),
        (None, None) => None,
    };
    std::iter::once(format!("{said}{beside}."))
        .chain(second)
        .collect()
}

/// Where some of the targets have little left to lose.
fn floors(results: &Results, subject: &Verdict) -> String {
    match (subject.targets_at_floor, results.targets.len()) {
        (0, _) => String::new(),
        (floored, all) if floored == all => String::new(),
        (floored, all) => format!(
            "; on {floored} of the {all} targets one of the two is not clearly above the floor, where gaps say little"
        ),
    }
}

/// How many of the other methods lose less or more.
fn tally(others: &[&Verdict]) -> String {
    let of = |wanted: Says| others.iter().filter(|one| one.says == wanted).count();
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
    match others.is_empty() {
        true => String::new(),
        // Of many intervals some exclude zero by chance.
        false => format!(
            "; other methods, each by its own interval: {}",
            counts.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::compare;
    use crate::document::UNDEFINED;
    use crate::fixture::Fixture;
    use crate::study::studies;

    fn verdicts_of(fixture: &Fixture) -> Vec<(Method, Says)> {
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let comparison = compare(&studies[0]).expect("consistent");
        let verdicts = comparison.verdict.iter();
        verdicts.map(|one| (one.method, one.says)).collect()
    }

    /// Prompt tuning and model tuning with these chances of a right answer.
    fn scoring(source: [f64; 2], target: [f64; 2]) -> Fixture {
        let mut fixture = Fixture::one_target();
        fixture.domains[0].1 = [0.05, source[0], source[1]];
        fixture.domains[1].1 = [0.05, target[0], target[1]];
        fixture
    }

    #[test]
    fn a_verdict_goes_by_the_interval_and_by_what_was_learned() {
        for (source, target, wanted) in [
            ([0.8, 0.8], [0.7, 0.4], Says::LosesLess),
            ([0.8, 0.8], [0.4, 0.7], Says::LosesMore),
            ([0.8, 0.8], [0.6, 0.6], Says::Inconclusive),
            ([0.1, 0.8], [0.1, 0.6], Says::NotLearned),
            ([0.8, 0.1], [0.6, 0.1], Says::ReferenceNotLearned),
            ([0.8, 0.8], [0.1, 0.6], Says::AtFloor),
        ] {
            let found = verdicts_of(&scoring(source, target));
            let reference = (Method::Model, Says::Reference);
            assert_eq!(found, [reference, (Method::Prompt, wanted)], "{source:?}");
        }
    }

    #[test]
    fn where_nothing_varies_nothing_is_concluded() {
        let mut fixture = scoring([0.99, 0.99], [0.99, 0.75]);
        assert_eq!(verdicts_of(&fixture)[1].1, Says::LosesLess);
        (fixture.seeds, fixture.passages) = (vec![0], 1);
        let said = verdicts_of(&fixture)[1].1;
        assert_eq!(said, Says::NothingVaries);
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let answer = compare(&studies[0]).expect("consistent").answer.join(" ");
        assert!(
            !answer.contains("power") && !answer.contains("CI"),
            "{answer}"
        );
    }

    #[test]
    fn floors_on_all_targets_leave_nothing_to_compare_and_floors_on_some_are_said() {
        let mut fixture = Fixture::six_targets();
        fixture.domains.truncate(3);
        let about = |fixture: &Fixture| {
            let records = fixture.records();
            let studies = studies(&records, &[]).expect("they belong together");
            let comparison = compare(&studies[0]).expect("consistent");
            (comparison.verdict[1].says, comparison.answer[0].clone())
        };
        for (chances, is_all) in [([0.1, 0.1], true), ([0.1, 0.6], false)] {
            for (domain, prompt) in [(1, chances[0]), (2, chances[1])] {
                fixture.domains[domain].1 = [0.05, prompt, 0.6];
            }
            let (says, answer) = about(&fixture);
            assert_eq!(says == Says::AtFloor, is_all, "{answer}");
            assert!(answer.contains("floor"), "{answer}");
        }
    }

    #[test]
    fn a_row_without_a_value_has_a_dash() {
        let fixture = Fixture::one_target();
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let comparison = compare(&studies[0]).expect("consistent");
        let table = table(&comparison.results, &comparison.verdict);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows[0][4], UNDEFINED, "model tuning is the reference");
    }
}
