//! Does a method lose less of its ranking than model tuning, whatever the threshold?

use serde::Serialize;

use super::{MethodRanking, examples, resampled, rows};
use crate::baselines::Standing;
use crate::document::{Block, Table, UNDEFINED, or_dash};
use crate::level::{Direction, MARGIN, adjusted, in_words, is_within_margin};
use crate::number::{count, difference, drawn_p_value, gap, list, percent};
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::ranking::auroc_values;

/// The least number of examples of either class on every domain for intervals of AUROC, the fewest with which their
/// coverage was simulated.
pub const FEWEST: usize = 20;

/// How much AUROC a method loses on average over targets. Finished runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AreaLoss {
    /// AUROC on each domain, source first.
    pub domains: Vec<Estimate>,
    pub mean_target: Estimate,
    /// Source − mean of targets.
    pub gap: Estimate,
    /// The comparison with model tuning; absent for model tuning itself, the untuned model, and without its records.
    pub against_model: Option<AgainstModelArea>,
}

/// A method's AUROC compared with model tuning's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AgainstModelArea {
    /// The method's AUROC on the source minus model tuning's.
    pub source: Estimate,
    /// The method's gap minus model tuning's.
    pub gap: Estimate,
    /// The p value of the difference in gaps, [adjusted](crate::level).
    pub p_value: Option<f64>,
}

/// The loss of AUROC of each of these methods; `None` with fewer than [`FEWEST`] examples of a class on a domain.
pub(super) fn area_losses(study: &Study, methods: &[Method]) -> Option<Vec<AreaLoss>> {
    let first = study.of(*methods.first()?).into_iter().next()?;
    for domain in 0..study.evaluations().len() {
        let rows = rows(first, domain)?;
        let of_class = rows.iter().filter(|row| row.is).count();
        (of_class.min(rows.len() - of_class) >= FEWEST).then_some(())?;
    }
    let draws = resampled(study, methods, |stored, domain| {
        auroc_values(&examples(&rows(stored, domain)?))
    });
    let all: Vec<Vec<&Draws>> = (0..methods.len())
        .map(|place| draws.iter().map(|domain| domain[place].as_ref()).collect())
        .collect::<Option<_>>()?;
    let means: Vec<Draws> = (all.iter())
        .map(|domains| Draws::mean(&domains[1..]))
        .collect::<Option<_>>()?;
    let gaps: Vec<Draws> = (all.iter().zip(&means))
        .map(|(domains, mean)| domains[0].minus(mean))
        .collect();
    let model = methods.iter().position(|method| *method == Method::Model);
    let differences: Vec<Option<[Draws; 2]>> = (0..methods.len())
        .map(|place| {
            let model = model.filter(|model| *model != place)?;
            (methods[place] != Method::Untuned).then(|| {
                [
                    all[place][0].minus(all[model][0]),
                    gaps[place].minus(&gaps[model]),
                ]
            })
        })
        .collect();
    let p_values: Vec<(Method, Option<f64>)> = (methods.iter().zip(&differences))
        .map(|(method, found)| (*method, found.as_ref().and_then(|[_, gap]| gap.p_value())))
        .collect();
    let losses = (0..methods.len())
        .zip(adjusted(&p_values))
        .map(|(place, p_value)| {
            let against = differences[place].as_ref();
            AreaLoss {
                domains: (all[place].iter())
                    .map(|area| area.estimate().clamp())
                    .collect(),
                mean_target: means[place].estimate().clamp(),
                gap: gaps[place].estimate(),
                against_model: against.map(|[source, gap]| AgainstModelArea {
                    source: source.estimate(),
                    gap: gap.estimate(),
                    p_value,
                }),
            }
        });
    Some(losses.collect())
}

/// AUROC of a ranking by chance.
const CHANCE: f64 = 0.5;

impl AreaLoss {
    /// The domains on which the method is not shown to rank better than chance.
    fn by_chance<'a>(&self, results: &'a Results) -> Vec<&'a str> {
        let all = results.domains.iter().zip(&self.domains);
        all.filter(|(_, area)| area.interval.low <= CHANCE)
            .map(|(domain, _)| domain.name.as_str())
            .collect()
    }
}

/// The verdict's sentence on a method's loss of AUROC compared with model tuning's; `None` without both, or if the two
/// are not comparable.
pub fn area_in_short(results: &Results, all: &[MethodRanking], method: Method) -> Option<String> {
    let of = |method: Method| all.iter().find(|one| one.method == method)?.area.as_ref();
    let (own, model) = (of(method)?, of(Method::Model)?);
    let against = own.against_model?;
    let says = says(results, method, own, model);
    is_comparable(results, method, own, model).then(|| {
        format!(
            "By AUROC, which no threshold affects, finished {} loses {} points and {} {}: the difference is {}, {says}.",
            results.title(method),
            gap(own.gap),
            results.title(Method::Model),
            gap(model.gap),
            difference(against.gap),
        )
    })
}

fn is_comparable(results: &Results, method: Method, own: &AreaLoss, model: &AreaLoss) -> bool {
    why_not(results, method, own, model).is_none()
}

/// Why a method's loss of AUROC is not compared with model tuning's. What was not learned cannot be lost.
fn why_not(results: &Results, method: Method, own: &AreaLoss, model: &AreaLoss) -> Option<String> {
    for (method, area) in [(method, own), (Method::Model, model)] {
        let of = match method {
            Method::Model => format!("{} is ", Method::Model.title()),
            _ => String::new(),
        };
        let learned = results.method(method).map(|result| result.learned());
        if learned != Some(Standing::Above) {
            return Some(format!("not comparable: {of}not shown to have learned"));
        }
        let by_chance = area.by_chance(results);
        if !by_chance.is_empty() {
            return Some(format!(
                "not comparable: {of}not shown to rank better than chance on {}",
                list(&by_chance)
            ));
        }
    }
    None
}

/// What the difference to model tuning's loss of AUROC says.
fn says(results: &Results, method: Method, own: &AreaLoss, model: &AreaLoss) -> String {
    let Some(against) = own.against_model else {
        return UNDEFINED.to_owned();
    };
    if let Some(why) = why_not(results, method, own, model) {
        return why;
    }
    let (source, at) = (&results.source, against.source);
    match Direction::of(against.gap, against.p_value) {
        Direction::Less if at.interval.high < 0.0 => {
            format!("loses less, from a lower AUROC on {source}")
        }
        Direction::More if at.interval.low > 0.0 => {
            format!("loses more, from a higher AUROC on {source}")
        }
        // A method that ranks less well has less to lose.
        Direction::Equivalent if results.is_of_these_runs(method) || !is_within_margin(at) => {
            Direction::Open.of_losses().to_owned()
        }
        Direction::Equivalent => format!("equivalent within {} points", percent(MARGIN)),
        direction => direction.of_losses().to_owned(),
    }
}

/// The comparison with model tuning; empty without its records.
pub(super) fn blocks(results: &Results, all: &[MethodRanking]) -> Vec<Block> {
    let of = |method: Method| all.iter().find(|one| one.method == method);
    let Some(model) = of(Method::Model) else {
        return Vec::new();
    };
    let Some(model) = &model.area else {
        return vec![Block::text(format!(
            "AUROC has no intervals here: a class has fewer than {} on a domain.",
            count(FEWEST, "example")
        ))];
    };
    let areas: Vec<(Method, &AreaLoss)> = (results.tuned())
        .filter_map(|result| Some((result.method, of(result.method)?.area.as_ref()?)))
        .collect();
    let compared: Vec<Method> = (areas.iter())
        .filter(|(_, area)| area.against_model.is_some())
        .map(|(method, _)| *method)
        .collect();
    let rows = areas.iter().map(|(method, area)| {
        vec![
            results.title(*method).to_owned(),
            gap(area.domains[0]),
            gap(area.mean_target),
            gap(area.gap),
            or_dash(area.against_model, |against| difference(against.gap)),
            or_dash(
                area.against_model.and_then(|against| against.p_value),
                drawn_p_value,
            ),
            says(results, *method, area, model),
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
            "Does a finished method's ranking lose less than {}'s? Its gap in AUROC, paired by passage and seed; intervals \
             by the examples' influence on the area (DeLong et al. 1988). Compared only if both are shown to have learned \
             the source and to rank better than chance on every domain. Equivalent: the gaps and the AUROC on the source \
             both differ by less than {} points, with their whole intervals.{}",
            Method::Model.title(),
            percent(MARGIN),
            in_words(&compared, 1)
        )),
    ]
}
