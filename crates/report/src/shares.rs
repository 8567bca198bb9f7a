//! The share of a model's parameters that each method trains, with a row for each method and a point for each model:
//! figure 4 of Lester et al. 2021, transposed to make room for the names of twenty methods.

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::document::Figure;
use crate::number::list;

/// The data of the figure.
pub struct Shares {
    /// The models, each a point in every row.
    pub models: Vec<String>,
    /// Methods by title, with the share for each model, above 0; `None` if the model does not support the method.
    pub methods: Vec<(&'static str, Vec<Option<f64>>)>,
}

/// The figure.
pub fn figure(name: &str, shares: &Shares) -> Figure {
    let (low, high) = decades(shares);
    let mut marks = Vec::new();
    for (row, (_, shares)) in (0_u32..).map(f64::from).zip(&shares.methods) {
        let line = shares.iter().flatten().map(|share| (*share, row));
        marks.push(Mark::Line(line.collect(), Stroke::Plain, Colour::Grid));
        for (model, share) in shares.iter().enumerate() {
            let dot = |share: &f64| Mark::Dot((*share, row), Shape::Circle, Colour::Series(model));
            marks.extend(share.as_ref().map(dot));
        }
    }
    let names: Vec<String> = (shares.methods.iter())
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let models = shares.models.iter().enumerate();
    let keys = models
        .map(|(number, model)| Key::dot(model.as_str(), Shape::Circle, Colour::Series(number)));
    Chart {
        title: "Share of the parameters that is trained".to_owned(),
        keys: keys.collect(),
        panels: vec![Panel {
            x: Axis::powers("% of all parameters, logarithmic", low, high, percent),
            y: Axis::places("", &names),
            marks,
        }],
        columns: 1,
        plot: (484.0, 22.0 * names.len() as f64),
    }
    .figure(
        name,
        format!(
            "Share of the parameters that each of {} methods trains, on {}.",
            names.len(),
            list(&shares.models)
        ),
    )
}

/// The powers of ten around all shares.
fn decades(shares: &Shares) -> (i32, i32) {
    let all = shares.methods.iter().flat_map(|(_, shares)| shares);
    let (low, high) = (all.flatten()).fold((0.1_f64, 0.1_f64), |(low, high), share| {
        (low.min(*share), high.max(*share))
    });
    (low.log10().floor() as i32, high.log10().ceil() as i32)
}

/// A power of ten in percent: 10⁻⁵ is `0.001`.
fn percent(share: f64) -> String {
    let digits = (-share.log10().round() as i32 - 2).max(0);
    format!("{:.*}", digits.unsigned_abs() as usize, 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_contain_all_shares_and_are_labelled_in_percent() {
        let shares = Shares {
            models: vec!["small".to_owned(), "xxl".to_owned()],
            methods: vec![
                ("a", vec![Some(6.6e-4), Some(3.7e-5)]),
                ("b", vec![Some(1.0), None]),
            ],
        };
        assert_eq!(decades(&shares), (-5, 0));
        let names = [1e-5, 1e-3, 1e-2, 1.0].map(percent);
        assert_eq!(names, ["0.001", "0.1", "1", "100"]);
    }
}
