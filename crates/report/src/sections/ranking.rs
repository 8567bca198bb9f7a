//! Of two classes: does the ranking transfer where the decision threshold does not?

use serde::Serialize;

use crate::document::{Block, Table};
use crate::number::{list, percent, spread};
use crate::resamples::Resamples;
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::{HeadForm, Method};
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::stats::estimate::{mean, standard_deviation};
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
    /// The share of examples that were predicted as the class, as a mean over seeds.
    pub said: f64,
    /// The share of examples that are of the class.
    pub is: f64,
}

/// Measures one method's ranking; `None` where answers are not ranked among two classes, by a head or by
/// likelihood: the probability of a written label leaves open what the other's would have been.
fn of_method(study: &Study, method: Method) -> Option<MethodRanking> {
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

/// Of every method that ranks two classes.
pub fn rankings(resamples: &Resamples) -> Vec<MethodRanking> {
    (resamples.methods())
        .filter_map(|method| of_method(resamples.study, method))
        .collect()
}

/// The section, empty where no answers are ranked among two classes.
pub fn blocks(results: &Results, all: &[MethodRanking]) -> Vec<Block> {
    let methods: Vec<&MethodRanking> = (results.tuned())
        .filter_map(|result| all.iter().find(|one| one.method == result.method))
        .collect();
    let Some(first) = methods.first() else {
        return Vec::new();
    };
    let classes: Vec<String> = (results.domains.iter().zip(&first.domains))
        .map(|(domain, ranking)| format!("“{}” on {}", ranking.class, domain.name))
        .collect();
    let header = ["", "AUROC", "predicted as the class", "of the class"];
    let rows = methods.iter().flat_map(|method| {
        (results.domains.iter().zip(&method.domains)).map(|(domain, ranking)| {
            vec![
                format!("{}, {}", results.title(method.method), domain.name),
                spread(
                    mean(&ranking.auroc).unwrap_or(f64::NAN),
                    standard_deviation(&ranking.auroc),
                ),
                percent(ranking.said),
                percent(ranking.is),
            ]
        })
    });
    let words = format!(
        "The class is {}. AUROC: the probability, in percent, that an example of the class gets a higher probability \
         of it than one of the other class; ties count half, 50 is chance (Hanley & McNeil 1982); mean ± standard \
         deviation over seeds. It does not depend on a threshold: where accuracy falls and AUROC does not, the \
         threshold is wrong, which a few labelled target examples could fix; where AUROC falls, the classes are no \
         longer told apart.",
        list(&classes)
    );
    Block::section(
        "Ranking or threshold?",
        Table::new(header).rows(rows),
        words,
    )
    .to_vec()
}
