//! Does a method lose less of its ranking than model tuning, whatever the threshold?

use serde::Serialize;

use super::{MethodRanking, examples, resampled};
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::level::{Direction, adjusted, in_words};
use crate::number::{difference, drawn_p_value, gap};
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::ranking::auroc_values;

/// How much AUROC a method loses, averaged over targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AreaLoss {
    /// AUROC on the source.
    pub source: Estimate,
    /// The mean AUROC of the targets.
    pub mean_target: Estimate,
    /// Source − mean of targets.
    pub gap: Estimate,
    /// The gap minus model tuning's; absent for model tuning, and without its records.
    pub difference: Option<Estimate>,
    /// The p value of the difference, [adjusted](crate::level).
    pub p_value: Option<f64>,
}

/// The loss of AUROC of each method.
pub(super) fn area_losses(study: &Study, methods: &[Method]) -> Option<Vec<AreaLoss>> {
    let draws = resampled(study, methods, |stored, domain| {
        auroc_values(&examples(stored, domain)?)
    });
    let (sources, targets) = draws.split_first()?;
    let all: Vec<(&Draws, Draws)> = (0..methods.len())
        .map(|place| {
            let targets: Vec<&Draws> = targets
                .iter()
                .map(|domain| domain[place].as_ref())
                .collect::<Option<_>>()?;
            Some((sources[place].as_ref()?, Draws::mean(&targets)?))
        })
        .collect::<Option<_>>()?;
    let gaps: Vec<Draws> = all
        .iter()
        .map(|(source, mean)| source.minus(mean))
        .collect();
    let model = methods.iter().position(|method| *method == Method::Model);
    let differences: Vec<Option<Draws>> = (0..methods.len())
        .map(|place| {
            let is_compared = model != Some(place) && methods[place] != Method::Untuned;
            is_compared.then(|| Some(gaps[place].minus(&gaps[model?])))?
        })
        .collect();
    let p_values: Vec<(Method, Option<f64>)> = (methods.iter().zip(&differences))
        .map(|(method, difference)| (*method, difference.as_ref().and_then(Draws::p_value)))
        .collect();
    let losses = (0..methods.len())
        .zip(adjusted(&p_values))
        .map(|(place, p_value)| AreaLoss {
            source: all[place].0.estimate(),
            mean_target: all[place].1.estimate(),
            gap: gaps[place].estimate(),
            difference: differences[place].as_ref().map(Draws::estimate),
            p_value,
        });
    Some(losses.collect())
}

impl AreaLoss {
    /// Whether the method is shown to rank better than chance on the source and on the targets.
    fn is_above_chance(&self) -> bool {
        [self.source, self.mean_target]
            .iter()
            .all(|area| area.interval.low > CHANCE)
    }
}

/// AUROC of a ranking by chance.
const CHANCE: f64 = 0.5;

/// The verdict's sentence on a method's loss of AUROC compared with model tuning's; `None` without both.
pub fn area_in_short(results: &Results, all: &[MethodRanking], method: Method) -> Option<String> {
    let of = |method: Method| all.iter().find(|one| one.method == method);
    let (own, model) = (of(method)?.area, of(Method::Model)?.area);
    let apart = own.difference?;
    Some(format!(
        "By AUROC, which no threshold affects, {} loses {} points and {} {}: the difference is {}, {}.",
        results.title(method),
        gap(own.gap),
        results.title(Method::Model),
        gap(model.gap),
        difference(apart),
        area_says(own, model)
    ))
}

/// What the difference to model tuning's loss of AUROC says.
fn area_says(own: AreaLoss, model: AreaLoss) -> &'static str {
    match own.difference {
        None => UNDEFINED,
        Some(_) if !own.is_above_chance() => "not comparable: not shown to rank better than chance",
        Some(_) if !model.is_above_chance() => {
            "not comparable: model tuning is not shown to rank better than chance"
        }
        Some(difference) => Direction::of(difference, own.p_value).of_losses(),
    }
}

/// The comparison with model tuning; empty without its records.
pub(super) fn blocks(results: &Results, all: &[MethodRanking]) -> Vec<Block> {
    let of = |method: Method| all.iter().find(|one| one.method == method);
    let Some(model) = of(Method::Model) else {
        return Vec::new();
    };
    let methods: Vec<&MethodRanking> = (results.tuned())
        .filter_map(|result| of(result.method))
        .collect();
    let compared: Vec<Method> = (methods.iter())
        .filter(|one| one.area.difference.is_some())
        .map(|one| one.method)
        .collect();
    let rows = methods.iter().map(|method| {
        let area = method.area;
        vec![
            results.title(method.method).to_owned(),
            gap(area.source),
            gap(area.mean_target),
            gap(area.gap),
            or_dash(area.difference, difference),
            or_dash(area.p_value, drawn_p_value),
            area_says(area, model.area).to_owned(),
        ]
    });
    let header = [
        String::new(),
        format!("AUROC on {} [95 %]", results.source),
        format!("on {} [95 %]", results.target()),
        "gap [95 %]".to_owned(),
        format!("gap − {}'s [95 %]", Method::Model.title()),
        "p".to_owned(),
        "verdict".to_owned(),
    ];
    vec![
        Table::new(header).words(&[0, 6]).rows(rows).into(),
        Block::text(format!(
            "Does a method's ranking lose less than {}'s? Its gap in AUROC, paired by passage and seed; intervals by \
             the examples' influence on the area (DeLong et al. 1988). Compared only if both are shown to rank better \
             than chance on source and targets.{}",
            Method::Model.title(),
            in_words(&compared, 1)
        )),
    ]
}
