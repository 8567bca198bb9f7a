//! Does the answer depend on the scale of a loss? The same difference in gaps on three scales.

use serde::Serialize;

use crate::document::{Block, Table, or_dash};
use crate::level::{Direction, adjusted, in_words as in_words_of_level};
use crate::number::{difference, drawn_p_value, joined};
use crate::resamples::Resamples;
use crate::results::Results;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::{Estimate, Interval};

/// The scale of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Source score − target score.
    Points,
    /// logit(source score) − logit(target score), on which a point counts more near 0 and 100.
    Logit,
    /// The share of the source score above the floor that is lost, 1 − (target score − its floor) / (source score −
    /// its floor).
    AboveFloor,
}

/// A method's mean loss minus model tuning's on one scale; negative means a smaller loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OnScale {
    pub scale: Scale,
    /// The difference; absent if the scale is undefined for these scores, such as the logit of 0.
    pub difference: Option<Estimate>,
    /// The p value of the difference, [adjusted](crate::level); absent if nothing varies.
    pub p_value: Option<f64>,
}

impl Scale {
    const ALL: [Scale; 3] = [Scale::Points, Scale::Logit, Scale::AboveFloor];

    /// Its name in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Scale::Points => "in points",
            Scale::Logit => "in logits",
            Scale::AboveFloor => "as a share of the score above the floor",
        }
    }

    /// A method's mean loss over targets; `floors` are those of all domains.
    fn loss(self, resamples: &Resamples, floors: &[f64], method: Method) -> Option<Draws> {
        let source = resamples.score(0, method)?;
        let losses = resamples.targets().map(|domain| {
            let target = resamples.score(domain, method)?;
            match self {
                Scale::Points => Some(source.minus(target)),
                Scale::Logit => Some(source.logit()?.minus(&target.logit()?)),
                Scale::AboveFloor => {
                    let above = source.above(floors[0]);
                    // A share of a difference that may be zero is not informative.
                    (above.estimate().interval.low > 0.0).then_some(())?;
                    above.minus(&target.above(floors[domain])).over(&above)
                }
            }
        });
        let losses: Vec<Draws> = losses.collect::<Option<_>>()?;
        Draws::mean(&losses.iter().collect::<Vec<_>>())
    }
}

/// Every method's mean loss minus model tuning's, on each scale, in the order of `methods`.
pub fn scales(resamples: &Resamples, results: &Results, methods: &[Method]) -> Vec<Vec<OnScale>> {
    let floors: Vec<f64> = (results.domains.iter())
        .map(|domain| domain.floor().unwrap_or(0.0))
        .collect();
    let mut all = vec![Vec::new(); methods.len()];
    for scale in Scale::ALL {
        let model = scale.loss(resamples, &floors, Method::Model);
        let differences: Vec<Option<Draws>> = (methods.iter())
            .map(|method| {
                Some(
                    scale
                        .loss(resamples, &floors, *method)?
                        .minus(model.as_ref()?),
                )
            })
            .collect();
        let p_value = |difference: &Option<Draws>| difference.as_ref()?.p_value();
        let p_values: Vec<_> = (methods.iter().zip(&differences))
            .map(|(method, difference)| (*method, p_value(difference)))
            .collect();
        for ((method, difference), p_value) in
            all.iter_mut().zip(&differences).zip(adjusted(&p_values))
        {
            method.push(OnScale {
                scale,
                difference: difference.as_ref().map(Draws::estimate),
                p_value,
            });
        }
    }
    all
}

impl OnScale {
    /// The direction of the difference by its adjusted p value; `None` if the scale is undefined. Only points have a
    /// margin within which losses are equivalent.
    pub fn direction(&self) -> Option<Direction> {
        match (Direction::of(self.difference?, self.p_value), self.scale) {
            (Direction::Equivalent, Scale::Logit | Scale::AboveFloor) => Some(Direction::Open),
            (direction, _) => Some(direction),
        }
    }
}

/// The direction on each scale: `loses less in points, inconclusive in logits`.
pub fn in_words(scales: &[OnScale]) -> String {
    let said = scales.iter().filter_map(|one| {
        let words = one.direction()?.of_losses();
        Some(format!("{words} {}", one.scale.title()))
    });
    joined(", ", said)
}

/// The differences of finished runs on each scale, with the verdict that `says` gives for a method; empty without
/// methods.
pub fn blocks(
    results: &Results,
    methods: &[Method],
    all: &[Vec<OnScale>],
    says: impl Fn(Method) -> String,
) -> Vec<Block> {
    if methods.is_empty() {
        return Vec::new();
    }
    let header = "method | points [95 %] | p | logits [95 %] | p | share above the floor [95 %] | p | \
        verdict";
    let rows = methods.iter().zip(all).map(|(method, scales)| {
        let mut row = vec![results.title(*method).to_owned()];
        for one in scales {
            row.push(or_dash(one.difference, |found| match one.scale {
                Scale::Logit => logits(found),
                Scale::Points | Scale::AboveFloor => difference(found),
            }));
            row.push(or_dash(one.p_value, drawn_p_value));
        }
        row.push(says(*method));
        row
    });
    Block::section(
        "Finished runs on three scales",
        Table::of(header).words(&[0, 7]).rows(rows),
        format!(
            "Mean loss over targets, method − {}; negative: the method loses less. A loss of ten points from 80 \
             differs from one of ten points from 30: in logits, differences near 0 and 100 count more; the third \
             scale is the share of the source score above the floor that is lost, in percent. The verdict is “loses \
             less” only if all defined scales agree, and “equivalent” only by points, without a significant difference on \
             another scale.{}",
            Method::Model.title(),
            in_words_of_level(methods, 1)
        ),
    )
    .to_vec()
}

/// A difference of logits with its interval.
fn logits(estimate: Estimate) -> String {
    let Interval { low, high } = estimate.interval;
    format!("{:+.2} [{low:.2}, {high:.2}]", estimate.value).replace('-', "−")
}
