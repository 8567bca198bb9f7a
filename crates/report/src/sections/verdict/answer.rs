//! The answer in a few sentences.

use super::{Evidence, Says, Verdict};
use crate::baselines::{Standing, decisive};
use crate::document::or_dash;
use crate::level::MARGIN;
use crate::number::{
    count, difference, drawn_p_value, gap, interval, joined, list, percent, points,
};
use crate::results::Results;
use crate::sections::differences::of;
use crate::sections::{matched, ranking, scales};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::Estimate;

/// The answer: at the same source score, for finished runs, and the smallest effect that such a study detects.
pub fn answer(evidence: Evidence, verdicts: &[Verdict]) -> Vec<String> {
    let results = evidence.results;
    // The paper's question is about prompt tuning; if it has no records, the answer is about another method.
    let others = || verdicts.iter().filter(|one| one.method != Method::Model);
    // A method tuned elsewhere comes last, since it is unknown how it was tuned.
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
    let tally = match subject.same_source {
        // The sentence applies to all methods.
        Says::NotScored => String::new(),
        says => tally(says, &beside),
    };
    let compared = [subject.same_source, subject.finished].map(Says::is_compared);
    let of_runs = in_these_runs(results, subject.method);
    let mut sentences = Vec::new();
    if compared.contains(&true) {
        sentences.push(format!(
            "{of_runs}{}{tally}.",
            same_source(evidence, subject)
        ));
    }
    sentences.push(match compared {
        [_, true] => format!("{of_runs}{}.", finished(evidence, subject)),
        [true, false] => format!("For finished runs: {}.", not_compared(evidence, subject)),
        [false, false] => format!("{}{tally}.", not_compared(evidence, subject)),
    });
    let both = [subject.method, Method::Model];
    let of_labels = both.map(|method| ranking::in_short(results, evidence.ranking, method));
    sentences.extend(of_labels.into_iter().flatten());
    let of_area = ranking::area_in_short(results, evidence.ranking, subject.method);
    sentences.extend(of_area.map(|words| format!("{of_runs}{words}")));
    sentences.extend(sensitivity(evidence, subject));
    sentences
}

/// The first words if a method has one run and borrows no spread.
fn in_these_runs(results: &Results, method: Method) -> &'static str {
    match results.is_of_these_runs(method) {
        true => "For these runs only: ",
        false => "",
    }
}

fn same_source(evidence: Evidence, subject: &Verdict) -> String {
    let results = evidence.results;
    let (source, title) = (&results.source, results.title(subject.method));
    let at = format!("At the same {source} score");
    let Some(matched) = evidence.matched(subject.method) else {
        let why = matched::why_not(results, evidence.unmatched, subject.method);
        return format!("{at} no comparison is possible: {why}");
    };
    let stopped = matched::stopped(matched);
    match subject.same_source {
        Says::NoMatch => {
            return format!(
                "{at} no comparison is possible: on source validation the nearest, {stopped}, scores {} {title}",
                than(-matched.apart())
            );
        }
        Says::AtFloor | Says::FloorOpen => {
            return format!(
                "{at} no comparison is possible: on no target are both {title} and {stopped} shown to be above the \
                 floor"
            );
        }
        _ => {}
    }
    let ours = results.method(subject.method);
    let ours = ours.map_or(0.0, |one| one.source().score.value);
    let Estimate {
        value,
        interval: range,
    } = matched.mean_difference;
    let range = interval(range);
    let scores = format!(
        "it scores {} {stopped} on {} (95 % CI of the difference {range}; {} and {} on {source})",
        than(value),
        results.target_in_words(),
        percent(ours),
        percent(matched.model_scores[0]),
    );
    // Matching validation scores may differ on test rows.
    let at = match (ours - matched.model_scores[0]).abs() > matched::TOLERANCE {
        true => format!("At nearly the same score on {source} validation"),
        false => at,
    };
    match subject.same_source {
        Says::LosesLess => format!("{at} {title} loses less: {scores}"),
        Says::LosesMore => format!("{at} {title} loses more: {scores}"),
        Says::Equivalent => format!(
            "{at} {title} loses as much as {}, within {} points: {scores}",
            Method::Model.title(),
            percent(MARGIN)
        ),
        _ if matched.mean_difference.interval.excludes(0.0) => format!(
            "{at} it is inconclusive whether {title} loses less: {scores}, but given the difference in {source} \
             scores p is {}",
            or_dash(matched.p_value, drawn_p_value)
        ),
        _ => format!("{at} it is inconclusive whether {title} loses less: {scores}"),
    }
}

/// `2.9 points lower than`, or `as high as` for a difference of 0.0.
fn than(difference: f64) -> String {
    let size = percent(difference.abs());
    match (size.as_str(), difference < 0.0) {
        ("0.0", _) => "as high as".to_owned(),
        (size, true) => format!("{size} points lower than"),
        (size, false) => format!("{size} points higher than"),
    }
}

/// How much less or more finished runs lose, and the contribution of their source scores.
fn finished(evidence: Evidence, subject: &Verdict) -> String {
    let results = evidence.results;
    let title = results.title(subject.method);
    let model = Method::Model.title();
    let Some((tests, apart)) = of(evidence.tests, subject.method).zip(subject.gap_difference)
    else {
        return format!("finished runs of {title} are not compared");
    };
    let size = percent(apart.value.abs());
    let less = match (size.as_str(), apart.value > 0.0) {
        ("0.0", _) => "as much as".to_owned(),
        (size, true) => format!("{size} points more than"),
        (size, false) => format!("{size} points less than"),
    };
    let part = part_of_source(
        results,
        subject,
        apart.value,
        tests.domains[0].difference.value,
    );
    let range = interval(apart.interval);
    let floored = floors(results, subject);
    let loses = format!("{title} loses {less} {model}");
    match subject.finished {
        Says::LosesLess | Says::LosesMore => {
            let scales = match subject.scales.iter().all(|one| one.difference.is_some()) {
                true => "on every scale",
                false => "on all defined scales",
            };
            format!(
                "For finished runs, {loses} (95 % CI {range}; significant {scales}){part}{floored}"
            )
        }
        Says::DependsOnScale => format!(
            "For finished runs, {loses} (95 % CI {range}){part}; whether this is significant depends on the scale: \
             {}{floored}",
            scales::in_words(&subject.scales)
        ),
        Says::Equivalent => format!(
            "For finished runs, {loses} (95 % CI {range}; equivalent within {} points){part}{floored}",
            percent(MARGIN)
        ),
        _ if apart.interval.excludes(0.0) => format!(
            "For finished runs, {loses} (95 % CI {range}), which is not significant after adjustment{part}{floored}"
        ),
        _ => format!("For finished runs, {loses} (95 % CI {range}; inconclusive){part}{floored}"),
    }
}

/// The contribution of source scores to a difference in gaps, which is the difference of source scores minus that of
/// target scores.
fn part_of_source(results: &Results, subject: &Verdict, apart: f64, on_source: f64) -> String {
    let (source, size) = (&results.source, percent(on_source.abs()));
    let higher = if on_source > 0.0 { "higher" } else { "lower" };
    let agrees = on_source * apart > 0.0;
    match (size.as_str(), agrees, on_source.abs() <= apart.abs()) {
        ("0.0", _, _) => String::new(),
        (size, true, true) => format!(", {size} of them because it scores {higher} on {source}"),
        (size, true, false) => format!(
            ", entirely because it scores {size} points {higher} on {source}: it also scores {higher} on {}",
            results.target_in_words()
        ),
        (size, false, _) => format!(
            ", although {} scores {size} points {higher} on {source}",
            results.title(subject.method)
        ),
    }
}

/// Why the subject is not compared.
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
        Says::NothingVaries => {
            let single = results.domains.iter().filter(|domain| domain.passages < 2);
            let single: Vec<&str> = single.map(|domain| domain.name.as_str()).collect();
            let why = match single.as_slice() {
                [] => "scores do not vary between runs or passages".to_owned(),
                single => format!("{} has one passage", list(single)),
            };
            let apart = subject.gap_difference.map(|gap| points(gap.value));
            format!(
                "Gaps not compared: {why}, so there is no interval; the gaps of {title} and {model} differ by {} \
                 points",
                apart.unwrap_or_default()
            )
        }
        Says::AtFloor => format!(
            "Gaps not compared, since scores at the floor cannot fall further: {}",
            floored(
                results,
                subject.method,
                Standing::NotAbove,
                |titles, targets| {
                    let are = if titles.len() == 1 { "is" } else { "are" };
                    format!(
                        "{} {are} shown to be less than 2 points above the floor on {targets}",
                        list(titles)
                    )
                }
            )
            .join(", and ")
        ),
        Says::FloorOpen => format!(
            "Gaps not compared: it is inconclusive whether {}",
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

/// The smallest effects that such a study detects, and what limits it.
fn sensitivity(evidence: Evidence, subject: &Verdict) -> Option<String> {
    let results = evidence.results;
    let tests = match of(evidence.tests, subject.method) {
        _ if results.domains.iter().any(|domain| domain.passages < 2) => return None,
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
    // Sentences on runs without a borrowed spread begin with that limitation.
    let both = [subject.method, Method::Model].into_iter();
    let lent = both.filter(|method| results.has_lent_spread(*method));
    let lent: Vec<&str> = lent.map(|method| results.title(method)).collect();
    let single = match lent.as_slice() {
        [] => String::new(),
        titles => format!(
            " With one run of {}, its seeds are assumed to vary like those of the other methods.",
            list(titles)
        ),
    };
    let elsewhere = match subject.method {
        Method::Elsewhere => format!(
            " It is unknown how {} was tuned, so this is not a comparison of methods.",
            results.title(subject.method)
        ),
        _ => String::new(),
    };
    let matched = evidence.matched(subject.method);
    let same = match matched.filter(|_| subject.same_source.is_compared()) {
        Some(matched) => format!(
            "{} points in target scores at the same {} score, and ",
            percent(matched.detectable),
            results.source
        ),
        None => String::new(),
    };
    Some(format!(
        "With 80 % power a study of this size detects {same}{} points in gaps of finished runs.{single}{elsewhere}",
        percent(tests.mean.gap_detectable),
    ))
}

/// A clause on the method and on model tuning with the targets on which they have this standing to the floor; a
/// single clause if the targets are the same.
fn floored(
    results: &Results,
    method: Method,
    wanted: Standing,
    say: impl Fn(&[&str], &str) -> String,
) -> Vec<String> {
    let mut by_targets: Vec<(String, Vec<&str>)> = Vec::new();
    for result in ([method, Method::Model].iter()).filter_map(|one| results.method(*one)) {
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
    let said = (by_targets.iter()).map(|(targets, titles)| say(titles, targets));
    said.collect()
}

/// Whether a method learned the source, with the decisive difference.
pub fn learning(results: &Results, method: Method) -> String {
    let (title, source) = (results.title(method), &results.source);
    let Some(result) = results.method(method) else {
        return format!("{title} has no records");
    };
    let apart = match decisive(&result.source().above) {
        None => "no baseline was scored".to_owned(),
        Some(one) => format!(
            "its score minus that of {} is {} points",
            one.baseline.title(),
            difference(one.difference)
        ),
    };
    match result.learned() {
        Standing::Above => format!("{title} learned {source}: {apart}"),
        Standing::NotAbove => format!("{title} is shown not to have learned {source}: {apart}"),
        Standing::Open => format!("it is inconclusive whether {title} learned {source}: {apart}"),
    }
}

/// A note on targets on which a score is near the floor.
fn floors(results: &Results, subject: &Verdict) -> String {
    match (subject.targets_at_floor, results.targets.len()) {
        (0, _) => String::new(),
        (floored, all) if floored == all => String::new(),
        (floored, all) => format!(
            "; on {floored} of the {all} targets one of the two is not shown to be above the floor, so gaps there \
             say little"
        ),
    }
}

/// How many of the other methods lose less or more at the same source score.
pub(super) fn tally(subject: Says, others: &[&Verdict]) -> String {
    let of = |wanted: Says| {
        (others.iter())
            .filter(|one| one.same_source == wanted)
            .count()
    };
    let (less, more, same, open) = (
        of(Says::LosesLess),
        of(Says::LosesMore),
        of(Says::Equivalent),
        of(Says::Inconclusive),
    );
    let compared = less + more + same + open;
    let rest = others.len() - compared;
    let counts = [
        (less, "losing less"),
        (more, "losing more"),
        (same, "equivalent"),
        (open, "inconclusive"),
        (rest, "not comparable"),
    ];
    let counts = (counts.into_iter())
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"));
    let all = count(others.len(), "method");
    match (others.len(), compared, subject.is_compared()) {
        (0, _, _) => String::new(),
        (1, 0, false) => "; nor is the other method".to_owned(),
        (_, 0, false) => format!("; nor are the other {all}"),
        _ => format!("; of the other {all}: {}", joined(", ", counts)),
    }
}
