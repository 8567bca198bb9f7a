//! Compares two sets of predictions, paired by example: does the second score lower?

pub mod sets;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::ReportError;
use crate::number::joined;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Bootstrap;
use promptshift_numbers::stats::panel::{Panel, Sample};
use promptshift_numbers::stats::significance::{McNemar, SignFlip, holm, mcnemar};
use sets::{Run, Set};
pub use verdict::Row;

/// Compares the second set with the first.
///
/// # Errors
/// A set has two runs with the same method and seed or an example twice, the sets have different domains, data,
/// limits or templates, or do not have the metric.
pub fn compare(first: &Set, second: &Set, metric: Option<&str>) -> Result<Vec<Row>, ReportError> {
    let mut rows = Vec::new();
    for set in [first, second] {
        once(set)?;
    }
    for (method, first, second) in methods(first, second)? {
        let domains = domains(&first, &second)?;
        for domain in domains {
            rows.push(row(method.clone(), &first, &second, &domain, metric)?);
        }
    }
    adjust(&mut rows);
    Ok(rows)
}

/// Checks that each method and seed occurs once in a set.
fn once(set: &Set) -> Result<(), ReportError> {
    let mut found: BTreeMap<(&str, u64), &Run> = BTreeMap::new();
    for run in &set.runs {
        if let Some(twin) = found.insert((&run.method, run.seed), run) {
            return Err(ReportError::Twice {
                first: twin.name.clone(),
                second: run.name.clone(),
                method: run.method.clone(),
                seed: run.seed,
            });
        }
    }
    Ok(())
}

/// A method's name, if there are several, with its runs in both sets.
type Pairing<'a> = (Option<String>, Vec<&'a Run>, Vec<&'a Run>);

/// If each set has one method, the sets are compared as they are, otherwise method by method.
fn methods<'a>(first: &'a Set, second: &'a Set) -> Result<Vec<Pairing<'a>>, ReportError> {
    let names = |set: &'a Set| -> BTreeSet<&'a str> {
        set.runs.iter().map(|run| run.method.as_str()).collect()
    };
    let (one, other) = (names(first), names(second));
    if one.len() == 1 && other.len() == 1 {
        let all = |set: &'a Set| set.runs.iter().collect();
        return Ok(vec![(None, all(first), all(second))]);
    }
    if one != other {
        let list = |names: &BTreeSet<&str>| joined(", ", names);
        return Err(ReportError::Mixed {
            first: first.name.clone(),
            second: second.name.clone(),
            field: "the list of methods".to_owned(),
            found: list(&one),
            other: list(&other),
        });
    }
    let of = |set: &'a Set, method: &str| -> Vec<&'a Run> {
        set.runs.iter().filter(|run| run.method == method).collect()
    };
    let pairings = one.into_iter();
    Ok(pairings
        .map(|method| {
            (
                Some(method.to_owned()),
                of(first, method),
                of(second, method),
            )
        })
        .collect())
}

/// The domains of the runs, after checking that all runs have the same domains and were made from the same data.
fn domains(first: &[&Run], second: &[&Run]) -> Result<Vec<String>, ReportError> {
    let reference = first[0];
    for run in first[1..].iter().chain(second) {
        alike(reference, run)?;
    }
    Ok(reference.answers.keys().cloned().collect())
}

fn alike(one: &Run, other: &Run) -> Result<(), ReportError> {
    let equal = |field: &dyn Fn() -> String, found: String, second: String| {
        if found == second {
            return Ok(());
        }
        Err(ReportError::Mixed {
            first: one.name.clone(),
            second: other.name.clone(),
            field: field(),
            found,
            other: second,
        })
    };
    let names = |run: &Run| joined(", ", run.answers.keys());
    equal(
        &|| "the list of domains".to_owned(),
        names(one),
        names(other),
    )?;
    for (what, found) in &one.facts {
        if let Some(second) = other.facts.get(what) {
            equal(&|| what.clone(), found.clone(), second.clone())?;
        }
    }
    let same_tokens = match (&one.tokenizer, &other.tokenizer) {
        (Some(first), Some(second)) => first == second,
        _ => true,
    };
    for (domain, predictions) in &one.answers {
        let mine = by_id(one, domain, predictions)?;
        let theirs = by_id(other, domain, &other.answers[domain])?;
        let length = || format!("the number of examples of {domain}");
        equal(&length, mine.len().to_string(), theirs.len().to_string())?;
        for prediction in predictions {
            let id = &prediction.id;
            let Some(twin) = theirs.get(id.as_str()) else {
                let list = || format!("the list of examples of {domain}");
                return equal(&list, format!("with '{id}'"), "without".to_owned());
            };
            let mut parts = vec![
                ("passage", prediction.passage.clone(), twin.passage.clone()),
                ("list of right answers", right(prediction), right(twin)),
            ];
            if same_tokens {
                let cut = |one: &Prediction| if one.cut { "cut" } else { "whole" }.to_owned();
                parts.push(("input", cut(prediction), cut(twin)));
                let tokens = |one: &Prediction| format!("{} tokens", one.input_tokens);
                parts.push((
                    "template or cut: the input",
                    tokens(prediction),
                    tokens(twin),
                ));
            }
            for (what, found, second) in parts {
                equal(&|| format!("{domain}, '{id}': {what}"), found, second)?;
            }
        }
    }
    Ok(())
}

/// The right answers, and the right class.
fn right(prediction: &Prediction) -> String {
    let class = match prediction.score {
        Score::Span { .. } => String::new(),
        Score::Label { gold, .. } => format!(" (class {gold})"),
        Score::Option { question, gold, .. } => format!(" (question {question}, class {gold})"),
    };
    format!("{:?}{class}", prediction.answers)
}

fn by_id<'a>(
    run: &Run,
    domain: &str,
    predictions: &'a [Prediction],
) -> Result<HashMap<&'a str, &'a Prediction>, ReportError> {
    let mut places = HashMap::with_capacity(predictions.len());
    for prediction in predictions {
        if places.insert(prediction.id.as_str(), prediction).is_some() {
            return Err(ReportError::Repeated {
                run: run.name.clone(),
                domain: domain.to_owned(),
                id: prediction.id.clone(),
            });
        }
    }
    Ok(places)
}

fn row(
    method: Option<String>,
    first: &[&Run],
    second: &[&Run],
    domain: &str,
    metric: Option<&str>,
) -> Result<Row, ReportError> {
    let reference = &first[0].answers[domain];
    let metric = choose(metric, domain, &reference[0].score)?;
    let samples = |runs: &[&Run]| -> Vec<Sample> {
        runs.iter()
            .flat_map(|run| crate::study::samples(metric, run.seed, &run.answers[domain]))
            .collect()
    };
    let panel = Panel::new(&[samples(first), samples(second)]);
    let mut scores = Bootstrap::default()
        .scores(std::slice::from_ref(&panel))
        .remove(0);
    let (second_score, first_score) = (scores.pop().flatten(), scores.pop().flatten());
    let (one, other) = first_score
        .zip(second_score)
        .expect("both sets have predictions of every domain");
    let difference = other.minus(&one);
    let runs_p_value = (panel.pairs(1, 0)).and_then(|pairs| SignFlip::default().p_value(&pairs));
    let discordant = match (first, second) {
        ([one], [other]) => discordant(&one.answers[domain], &other.answers[domain]),
        _ => None,
    };
    Ok(Row {
        method,
        domain: domain.to_owned(),
        metric: metric.name(),
        examples: reference.len(),
        passages: panel.clusters(),
        runs: [first.len(), second.len()],
        first: one.value(),
        second: other.value(),
        difference: difference.estimate(),
        p_value: difference.p_value().or(runs_p_value),
        runs_p_value,
        discordant,
        detectable: difference.detectable(),
        is_identical: is_identical(&panel),
        is_single: [first, second].map(|runs| matches!(runs, [run] if run.varies_with_seed)),
    })
}

fn is_identical(panel: &Panel) -> bool {
    let scores = |side: usize| {
        let runs = panel.methods()[side].as_ref()?;
        Some((runs.scores(), runs.by_passage()))
    };
    scores(0) == scores(1)
}

/// The requested metric, or the main metric of such predictions.
fn choose(wanted: Option<&str>, domain: &str, score: &Score) -> Result<Metric, ReportError> {
    let known: [Metric; 2] = match score {
        Score::Span { .. } => [Metric::F1, Metric::ExactMatch],
        Score::Label { .. } => [Metric::Accuracy, Metric::PairF1],
        Score::Option { .. } => [Metric::PairF1, Metric::Accuracy],
    };
    let Some(wanted) = wanted else {
        return Ok(known[0]);
    };
    let found = known.iter().find(|metric| metric.name() == wanted);
    found.copied().ok_or_else(|| ReportError::UnknownMetric {
        wanted: wanted.to_owned(),
        domain: domain.to_owned(),
        known: known.map(Metric::name).join(", "),
    })
}

/// Examples that only one of two runs answered correctly, paired by example.
fn discordant(first: &[Prediction], second: &[Prediction]) -> Option<McNemar> {
    let theirs: BTreeMap<&str, &Score> = (second.iter())
        .map(|prediction| (prediction.id.as_str(), &prediction.score))
        .collect();
    let pairs: Option<Vec<(bool, bool)>> = (first.iter())
        .map(|prediction| {
            let other = theirs.get(prediction.id.as_str())?;
            Some((prediction.score.is_right(), other.is_right()))
        })
        .collect();
    Some(mcnemar(pairs?))
}

/// Adjusts p values over all rows (Holm).
fn adjust(rows: &mut [Row]) {
    let each: [fn(&mut Row) -> Option<&mut f64>; 3] = [
        |row| row.p_value.as_mut(),
        |row| row.runs_p_value.as_mut(),
        |row| Some(&mut row.discordant.as_mut()?.p_value),
    ];
    for of in each {
        let mut found: Vec<&mut f64> = rows.iter_mut().filter_map(of).collect();
        let p_values: Vec<f64> = found.iter().map(|p| **p).collect();
        for (p, adjusted) in found.iter_mut().zip(holm(&p_values)) {
            **p = adjusted;
        }
    }
}

#[cfg(test)]
mod tests;
