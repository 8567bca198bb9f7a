//! The table of costs: a row a resource, a column a method.

use super::absent;
use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::cost::{Cost, Sizes, TrainingCost};
use crate::number::{bytes, share, whole};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::memory::PeakParts;

/// Columns that are still read at a glance.
const WIDEST: usize = 6;

/// What stands in the place of a number that the record has not.
const NOT_RECORDED: &str = "not recorded";

/// The name of a row and how it is read from a cost.
type Line<C> = (&'static str, fn(&C) -> String);

/// What each method cost.
pub fn table(comparison: &Comparison) -> TextTable {
    let methods: Vec<Method> = (comparison.told().into_iter())
        .chain([Method::Untuned])
        .collect();
    let costs: Vec<Result<&Cost, &'static str>> = (methods.iter())
        .map(|method| {
            let cost = comparison.method(*method).and_then(|r| r.cost.as_ref());
            cost.ok_or_else(|| absent::of_method(comparison, *method))
        })
        .collect();
    let mut header = vec![String::new()];
    header.extend(
        methods
            .iter()
            .map(|method| comparison.title(*method).to_owned()),
    );
    let sizes: [Line<Sizes>; 3] = [
        ("trainable parameters", |cost| {
            whole(cost.trainable_parameters as f64)
        }),
        ("share of all parameters", |cost| {
            share(cost.trainable_parameters as f64 / cost.total_parameters as f64)
        }),
        ("stored for each seed", |cost| bytes(cost.saved_bytes)),
    ];
    let training: [Line<TrainingCost>; 7] = [
        ("training examples", |cost| whole(cost.examples as f64)),
        ("steps", |cost| whole(cost.steps)),
        ("training tokens", |cost| whole(cost.tokens)),
        ("training tokens/s", |cost| rate(cost.tokens_per_second)),
        ("training seconds", |cost| {
            format!("{:.1}", cost.train_seconds)
        }),
        ("validation seconds", |cost| {
            format!("{:.1}", cost.validation_seconds)
        }),
        ("peak memory, training", |cost| bytes(cost.peak_bytes)),
    ];
    let evaluation: [Line<Cost>; 2] = [
        ("evaluation examples/s", |cost| {
            rate(cost.evaluation_examples_per_second)
        }),
        ("peak memory, evaluation", |cost| {
            bytes(cost.evaluation_peak_bytes)
        }),
    ];
    let mut rows = Vec::new();
    for (name, show) in sizes {
        rows.push(row(name, &costs, |cost| cost.sizes.as_ref().map(show)));
    }
    for (name, show) in training {
        rows.push(row(name, &costs, |cost| cost.training.as_ref().map(show)));
    }
    let told = (costs.iter().flatten())
        .filter_map(|cost| cost.training.as_ref())
        .any(|training| training.peak_parts.is_some());
    match told {
        true => rows.extend(PARTS.map(|(name, part)| {
            row(name, &costs, |cost| {
                Some(shown(cost.training.as_ref()?, part))
            })
        })),
        false => rows.push(row("– its parts", &costs, |cost| {
            cost.training.as_ref().map(|_| NOT_RECORDED.to_owned())
        })),
    }
    for (name, show) in evaluation {
        rows.push(row(name, &costs, |cost| Some(show(cost))));
    }
    TextTable {
        words: &[0],
        header,
        rows,
    }
    .no_wider_than(WIDEST)
}

fn shown(training: &TrainingCost, part: Part) -> String {
    match &training.peak_parts {
        Some(parts) => part(parts, training.peak_bytes),
        None => NOT_RECORDED.to_owned(),
    }
}

/// How a cell is read from the parts and the whole.
type Part = fn(&PeakParts, u64) -> String;

/// When the peak in training was, and its parts.
const PARTS: [(&str, Part); 6] = [
    ("– in the", |parts, _| parts.moment.name().to_owned()),
    ("– weights", |parts, _| bytes(parts.weights)),
    ("– gradients", |parts, _| bytes(parts.gradients)),
    ("– optimiser state", |parts, _| {
        bytes(parts.optimizer_state)
    }),
    ("– activations", |parts, _| bytes(parts.activations)),
    ("– left over", |parts, peak| bytes(parts.left_over(peak))),
];

/// What times were measured beside, where runs were not alone.
pub fn beside(study: &Study) -> String {
    let origins = (study.records().iter()).map(|stored| &stored.record.provenance);
    let most = origins.map(|origin| origin.side_by_side).max();
    match most {
        Some(runs @ 2..) => format!(
            " Up to {runs} runs went on side by side, each on threads of its own: times and rates are \
             comparable with each other, and slower than those of a run that has the machine to itself."
        ),
        _ => String::new(),
    }
}

fn row(
    name: &str,
    costs: &[Result<&Cost, &'static str>],
    show: impl Fn(&Cost) -> Option<String>,
) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    row.extend(costs.iter().map(|cost| match cost {
        Ok(cost) => show(cost).unwrap_or(UNDEFINED.to_owned()),
        Err(word) => (*word).to_owned(),
    }));
    row
}

/// How many a second: whole, and with decimals where few.
fn rate(rate: Option<f64>) -> String {
    match rate {
        None => UNDEFINED.to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}"),
        Some(rate) => whole(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_rate_has_a_decimal() {
        let shown = [None, Some(0.94), Some(9.96), Some(12_345.6)].map(rate);
        assert_eq!(shown, ["–", "0.9", "10", "12,346"]);
    }
}
