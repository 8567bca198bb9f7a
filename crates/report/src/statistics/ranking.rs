//! Of two classes, whether their ranking comes along where their threshold does not.

use serde::Serialize;

use crate::study::Study;
use promptshift_numbers::recipe::HeadForm;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::stats::estimate::mean;
use promptshift_numbers::stats::ranking::auroc;

/// One method's ranking on every domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRanking {
    /// The method.
    pub method: Method,
    /// On each domain.
    pub domains: Vec<DomainRanking>,
}

/// One method's ranking on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainRanking {
    /// The second class, as the domain has it.
    pub class: String,
    /// The area under the receiver operating characteristic of each seed, in [0, 1].
    pub auroc: Vec<f64>,
    /// The share of examples that were given the class, as a mean over seeds.
    pub said: f64,
    /// The share of examples that are of it.
    pub is: f64,
}

/// Measures one method's ranking; `None` where answers are not ranked among two classes, by a head or by
/// likelihood: the probability of a written label leaves open what the other's would have been.
pub(super) fn of_method(study: &Study, method: Method) -> Option<MethodRanking> {
    let records = study.of(method);
    let domains = (0..study.evaluations().len())
        .map(|domain| of_domain(&records, domain))
        .collect::<Option<_>>()?;
    Some(MethodRanking { method, domains })
}

fn of_domain(records: &[&StoredRecord], domain: usize) -> Option<DomainRanking> {
    let seeds: Vec<Vec<Ranked>> = (records.iter())
        .map(|stored| {
            let recipe = stored.record.cell.recipe.as_ref();
            let head = recipe.and_then(|recipe| recipe.head);
            let predictions = stored.predictions[domain].iter();
            predictions
                .map(|prediction| ranked(prediction, head))
                .collect()
        })
        .collect::<Option<_>>()?;
    let share = |of: fn(&Ranked) -> bool| {
        let of_seed = |seed: &Vec<Ranked>| {
            seed.iter().filter(|one| of(one)).count() as f64 / seed.len() as f64
        };
        mean(&seeds.iter().map(of_seed).collect::<Vec<_>>())
    };
    let class = (records.first()?.predictions[domain].iter())
        .find(|prediction| matches!(prediction.score, Score::Label { gold: 1, .. }))?;
    Some(DomainRanking {
        class: class.answers.first()?.clone(),
        auroc: (seeds.iter())
            .map(|seed| {
                auroc(
                    &seed
                        .iter()
                        .map(|one| (one.probability, one.is))
                        .collect::<Vec<_>>(),
                )
            })
            .collect::<Option<_>>()?,
        said: share(|one| one.said)?,
        is: share(|one| one.is)?,
    })
}

/// An example between two classes.
struct Ranked {
    /// The share of the second class.
    probability: f64,
    /// Whether it was given the second class.
    said: bool,
    /// Whether it is of it.
    is: bool,
}

fn ranked(prediction: &Prediction, head: Option<HeadForm>) -> Option<Ranked> {
    let Score::Label { gold, predicted } = prediction.score else {
        return None;
    };
    let said = predicted? == 1;
    let probability = match (prediction.class_log_probs.as_deref(), head) {
        (Some([_, second]), _) => second.exp(),
        (None, Some(HeadForm::Classes(2) | HeadForm::Words(2))) if said => {
            prediction.log_prob.exp()
        }
        (None, Some(HeadForm::Classes(2) | HeadForm::Words(2))) => -prediction.log_prob.exp_m1(),
        _ => return None,
    };
    Some(Ranked {
        probability,
        said,
        is: gold == 1,
    })
}
