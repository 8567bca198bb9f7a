//! Whether the methods know when they are wrong.

use super::asked;
use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::percent;
use crate::statistics::answers::{MethodCalibration, over_seeds};
use promptshift_numbers::stats::calibration::BINS;

/// The section, empty without tuned methods.
pub fn section(comparison: &Comparison) -> String {
    let methods: Vec<&MethodCalibration> = comparison
        .tuned()
        .filter_map(|result| {
            let all = &comparison.statistics.calibration;
            all.iter().find(|one| one.method == result.method)
        })
        .collect();
    if methods.is_empty() {
        return String::new();
    }
    format!(
        "## Does it know when it is wrong?\n\n{}\nMeans over seeds. {}; it is right if it equals a right one. ECE: expected calibration error over {BINS} bins \
         of equally many answers, in points. Brier: mean squared error of the confidence; NLL: mean negative \
         log-likelihood in nats. Risk–coverage: share of wrong answers among the most confident, averaged \
         over all coverages; lower is better, as for all four. {}\n\n",
        table(comparison, &methods).markdown(),
        asked::confidence(comparison),
        temperatures(&methods)
    )
}

fn table(comparison: &Comparison, methods: &[&MethodCalibration]) -> TextTable {
    let header = [
        "",
        "right",
        "confidence",
        "ECE",
        "ECE, scaled",
        "Brier",
        "NLL",
        "NLL, scaled",
        "risk–coverage",
    ];
    let mut rows = Vec::new();
    for method in methods {
        for (domain, calibration) in comparison.domains.iter().zip(&method.domains) {
            let (plain, scaled) = (&calibration.by_seed, &calibration.scaled);
            let share = |value: Option<f64>| value.map_or(UNDEFINED.to_owned(), percent);
            let number =
                |value: Option<f64>| value.map_or(UNDEFINED.to_owned(), |v| format!("{v:.3}"));
            rows.push(vec![
                format!("{}, {}", comparison.title(method.method), domain.name),
                share(over_seeds(plain, |c| c.accuracy)),
                share(over_seeds(plain, |c| c.confidence)),
                share(over_seeds(plain, |c| c.ece)),
                share(over_seeds(scaled, |c| c.ece)),
                number(over_seeds(plain, |c| c.brier)),
                number(over_seeds(plain, |c| c.nll)),
                number(over_seeds(scaled, |c| c.nll)),
                share(over_seeds(plain, |c| c.risk_coverage)),
            ]);
        }
    }
    TextTable {
        words: &[0],
        header: header.map(str::to_owned).to_vec(),
        rows,
    }
}

fn temperatures(methods: &[&MethodCalibration]) -> String {
    let known: Vec<String> = methods
        .iter()
        .filter_map(|method| {
            let found: Vec<String> = (method.temperatures.iter().flatten())
                .map(|temperature| format!("{temperature:.2}"))
                .collect();
            (!found.is_empty()).then(|| format!("{} {}", method.method.title(), found.join(", ")))
        })
        .collect();
    if known.is_empty() {
        return "Scaled: –, because these records have no answers to source validation, the only ones \
                that a temperature may be fitted on."
            .to_owned();
    }
    format!(
        "Scaled: confidence to the power 1/T, with T fitted to source validation alone and applied to \
         every domain ({}).",
        known.join("; ")
    )
}
