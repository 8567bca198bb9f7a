//! The answer in two sentences, no stronger than the intervals.

use super::comparison::{Comparison, Difference, Learned, MethodResult};
use super::number::{capital, count, interval, list, metric_title, percent, points};
use super::statistics::MeanTest;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::{Estimate, Interval};

/// What each method scores and loses, and how the two compare.
pub fn answer(comparison: &Comparison) -> Vec<String> {
    let tuned: Vec<&MethodResult> = comparison.tuned().collect();
    if tuned.is_empty() {
        return vec![format!(
            "Only the untuned backbone was scored on {} and {}, so there is no answer yet.",
            comparison.source,
            list(&comparison.targets)
        )];
    }
    let (elsewhere, ours): (Vec<&MethodResult>, Vec<&MethodResult>) =
        (tuned.into_iter()).partition(|result| result.method == Method::Elsewhere);
    let mut answer = match ours.is_empty() {
        true => Vec::new(),
        false => vec![losses(comparison, &ours), compared(comparison, &ours)],
    };
    answer.extend((elsewhere.iter()).filter_map(|result| given(comparison, result)));
    answer
}

/// What was tuned elsewhere scores and loses.
fn given(comparison: &Comparison, result: &MethodResult) -> Option<String> {
    Some(format!(
        "{} ({}) scores {} {} on {} and {} {}, {}; how it was tuned is not known.",
        capital(&result.title),
        result.runs(),
        percent(result.source().score.value),
        metric_title(comparison.metric),
        comparison.source,
        percent(result.mean_target?.value),
        on_targets(comparison),
        loss(result.mean_gap?)
    ))
}

/// `on textbookqa`, or `on average over 6 targets`.
fn on_targets(comparison: &Comparison) -> String {
    match comparison.targets.as_slice() {
        [one] => format!("on {one}"),
        many => format!("on average over {}", count(many.len(), "target")),
    }
}

fn losses(comparison: &Comparison, tuned: &[&MethodResult]) -> String {
    let metric = metric_title(comparison.metric);
    let target = on_targets(comparison);
    let (told, others): (Vec<&MethodResult>, Vec<&MethodResult>) = tuned
        .iter()
        .partition(|result| !comparison.is_of_many() || result.is_compared());
    // Of the compared two, the second sentence says it.
    let (told, idle): (Vec<&MethodResult>, Vec<&MethodResult>) =
        (told.iter()).partition(|result| {
            result.is_compared() || result.learned(&comparison.domains[0]) == Learned::Yes
        });
    let clauses: Vec<String> = told
        .iter()
        .enumerate()
        .filter_map(|(index, result)| {
            let source = percent(result.source().score.value);
            let (score, gap) = (result.mean_target?, result.mean_gap?);
            let method = result.title.as_str();
            let seeds = count(result.seeds.len(), "seed");
            let (score, loss) = (percent(score.value), loss(gap));
            Some(match index {
                0 => format!(
                    "{method} ({seeds}) scores {source} {metric} there and {score} {target}, {loss}"
                ),
                _ => format!("{method} ({seeds}) scores {source} and {score}, {loss}"),
            })
        })
        .collect();
    let source = &comparison.source;
    let trained = match (comparison.before.as_slice(), clauses.as_slice()) {
        (_, []) => String::new(),
        ([], clauses) => format!("Trained on {source} alone, {}.", clauses.join("; ")),
        (before, clauses) => format!(
            "Trained on {source}, a start on {} before, {}.",
            list(before),
            clauses.join("; ")
        ),
    };
    let idle: Vec<&str> = idle.iter().map(|result| result.title.as_str()).collect();
    let idle = match idle.as_slice() {
        [] => String::new(),
        idle => format!(" {} did not learn {source}.", capital(&list(idle))),
    };
    let said = [trained, idle, in_short(comparison, &others)].concat();
    said.trim_start().to_owned()
}

/// The range of methods that are too many for a clause each: of those that learned the source.
fn in_short(comparison: &Comparison, others: &[&MethodResult]) -> String {
    let (learned, not): (Vec<&MethodResult>, Vec<&MethodResult>) =
        (others.iter()).partition(|result| result.learned(&comparison.domains[0]) == Learned::Yes);
    let scores = (learned.iter())
        .filter_map(|result| Some((result.mean_target?.value, result.title.as_str())));
    let gaps =
        (learned.iter()).filter_map(|result| Some((result.mean_gap?.value, result.title.as_str())));
    let Some(((low, lowest), (high, highest))) = ends(scores.collect()) else {
        return String::new();
    };
    let Some(((least, loses_least), (most, loses_most))) = ends(gaps.collect()) else {
        return String::new();
    };
    let not = match not.as_slice() {
        [] => String::new(),
        not => {
            let titles: Vec<&str> = not.iter().map(|result| result.title.as_str()).collect();
            format!(" ({} did not)", list(&titles))
        }
    };
    format!(
        " The {} others that learned {}{not} score from {} ({lowest}) to {} ({highest}) {} and lose from {} \
         ({loses_least}) to {} points ({loses_most}).",
        learned.len(),
        comparison.source,
        percent(low),
        percent(high),
        on_targets(comparison),
        percent(least),
        percent(most),
    )
}

/// A value and whose it is.
type Named<'a> = (f64, &'a str);

/// The least and the most.
fn ends(all: Vec<Named>) -> Option<(Named, Named)> {
    let by = |one: &Named, other: &Named| one.0.total_cmp(&other.0);
    let all = || all.iter().copied();
    all().min_by(by).zip(all().max_by(by))
}

fn loss(gap: Estimate) -> String {
    let size = percent(gap.value.abs());
    if gap.interval.low > 0.0 {
        format!("a loss of {size} points {}", interval(gap.interval))
    } else if gap.interval.high < 0.0 {
        format!(
            "a gain of {size} points {}",
            interval(negative(gap.interval))
        )
    } else {
        format!(
            "a change of {} points that cannot be told from none {}",
            points(-gap.value),
            interval(negative(gap.interval))
        )
    }
}

fn compared(comparison: &Comparison, tuned: &[&MethodResult]) -> String {
    let source = &comparison.domains[0];
    let unlearned: Vec<&str> = tuned
        .iter()
        .filter(|result| comparison.difference.is_none() || result.is_compared())
        .filter(|result| result.learned(source) != Learned::Yes)
        .map(|result| result.title.as_str())
        .collect();
    if !unlearned.is_empty() {
        return format!(
            "The gaps are not compared: {} did not learn {}, and what was not learned cannot be lost.",
            list(&unlearned),
            comparison.source
        );
    }
    match &comparison.difference {
        Some(difference) => {
            let detectable = mean_test(comparison).map(|test| test.gap_detectable);
            let gaps = only_at_floor(comparison).unwrap_or_else(|| gaps(difference, detectable));
            format!(
                "{gaps}{}{}.",
                scores(comparison, difference),
                some_at_floor(comparison)
            )
        }
        None => format!(
            "There are no records of {} to compare it with.",
            match tuned[0].method {
                Method::Prompt => Method::Model.title(),
                _ => Method::Prompt.title(),
            }
        ),
    }
}

fn gaps(difference: &Difference, detectable: Option<f64>) -> String {
    let gap = difference.mean_gap;
    let size = percent(gap.value.abs());
    if gap.interval.high < 0.0 {
        let range = interval(negative(gap.interval));
        format!("Prompt tuning loses {size} points less {range} than model tuning")
    } else if gap.interval.low > 0.0 {
        let range = interval(gap.interval);
        format!("Prompt tuning loses {size} points more {range} than model tuning")
    } else {
        format!(
            "Which method loses less cannot be told: the means say that prompt tuning loses {size} \
             points {}, but anything from {} points less to {} more fits these data{}",
            if gap.value < 0.0 { "less" } else { "more" },
            percent(-gap.interval.low),
            percent(gap.interval.high),
            seen(detectable)
        )
    }
}

fn mean_test(comparison: &Comparison) -> Option<MeanTest> {
    let tests = comparison.statistics.against_model(Method::Prompt)?;
    Some(tests.mean)
}

/// The second part of the sentence: the target scores themselves.
fn scores(comparison: &Comparison, difference: &Difference) -> String {
    let score = difference.mean_target;
    let target = on_targets(comparison);
    let size = percent(score.value.abs());
    let gap = difference.mean_gap;
    let detectable = mean_test(comparison).map(|test| test.score_detectable);
    let (direction, range) = if score.interval.low > 0.0 {
        ("higher", interval(score.interval))
    } else if score.interval.high < 0.0 {
        ("lower", interval(negative(score.interval)))
    } else {
        return format!(
            "; {target} the two scores cannot be told apart ({} points {}{})",
            points(score.value),
            interval(score.interval),
            seen(detectable)
        );
    };
    if !gap.interval.excludes(0.0) || only_at_floor(comparison).is_some() {
        return format!("; {target} prompt tuning scores {size} points {direction} {range}");
    }
    // A smaller gap with a lower score, or a larger one with a higher, pulls two ways.
    let word = if (gap.value < 0.0) == (direction == "lower") {
        "but"
    } else {
        "and"
    };
    format!(", {word} {target} it scores {size} points {direction} {range}")
}

/// What such a study is able to see, where it saw nothing.
fn seen(detectable: Option<f64>) -> String {
    detectable.map_or_else(String::new, |size| {
        format!(
            "; only a difference of {} points or more could be counted on to be seen",
            percent(size)
        )
    })
}

/// What is said instead of comparing gaps on a single target where nothing is left to lose.
fn only_at_floor(comparison: &Comparison) -> Option<String> {
    let [target] = comparison.targets.as_slice() else {
        return None;
    };
    let methods: Vec<&str> = comparison
        .compared_at_floor(1)
        .into_iter()
        .map(Method::title)
        .collect();
    (!methods.is_empty()).then(|| {
        format!(
            "The gaps are not compared: {} did not get clearly above the floor on {target}, so nothing \
             was left to lose there",
            list(&methods)
        )
    })
}

/// A clause about those of several targets where a method has nothing left to lose.
fn some_at_floor(comparison: &Comparison) -> String {
    let targets = comparison.targets.len();
    let floored = (1..=targets)
        .filter(|domain| !comparison.compared_at_floor(*domain).is_empty())
        .count();
    match (floored, targets) {
        (0, _) | (_, 1) => String::new(),
        _ => format!(
            "; on {floored} of the {targets} targets a method is not clearly above the floor, and \
             gaps say little there"
        ),
    }
}

fn negative(interval: Interval) -> Interval {
    Interval {
        low: -interval.high,
        high: -interval.low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate {
            value,
            interval: Interval { low, high },
        }
    }

    #[test]
    fn a_loss_is_only_called_so_when_its_interval_says_so() {
        assert_eq!(
            loss(estimate(0.2, 0.1, 0.3)),
            "a loss of 20.0 points [10.0, 30.0]"
        );
        assert_eq!(
            loss(estimate(-0.2, -0.3, -0.1)),
            "a gain of 20.0 points [10.0, 30.0]"
        );
        assert_eq!(
            loss(estimate(0.02, -0.01, 0.05)),
            "a change of −2.0 points that cannot be told from none [−5.0, 1.0]"
        );
    }

    #[test]
    fn an_open_comparison_says_what_it_rules_out() {
        let open = estimate(-0.01, -0.052, 0.031);
        let difference = Difference {
            scores: vec![],
            gaps: vec![],
            mean_target: open,
            mean_gap: open,
        };
        let text = gaps(&difference, Some(0.061));
        assert!(text.contains("cannot be told"), "{text}");
        assert!(text.contains("from 5.2 points less to 3.1 more"), "{text}");
        assert!(
            text.contains("only a difference of 6.1 points or more"),
            "{text}"
        );
    }
}
