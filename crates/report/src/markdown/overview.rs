//! Many methods at a glance: a row each, the most trainable parameters first.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::{Comparison, Learned, MethodResult};
use crate::number::{difference, gap, metric_title, p_value, percent, spread, whole};
use promptshift_numbers::recipe::Method;

/// The table with words behind it; nothing where there are few methods.
pub fn section(comparison: &Comparison) -> Option<String> {
    if !comparison.is_of_many() {
        return None;
    }
    let targets = match comparison.targets.as_slice() {
        [one] => one.clone(),
        _ => "mean of targets".to_owned(),
    };
    let against_model = comparison.method(Method::Model).is_some();
    let mut header = vec![
        metric_title(comparison.metric).to_owned(),
        "trainable parameters".to_owned(),
        format!("{} (source)", comparison.source),
        targets.clone(),
        "gap [95 %]".to_owned(),
    ];
    if against_model {
        header.push(format!("− {}, {targets} [95 %]", Method::Model.title()));
        header.push("p".to_owned());
    }
    header.push("learned".to_owned());
    let rows = comparison.by_parameters().into_iter().map(|result| {
        let mut row = vec![
            result.title.clone(),
            whole(result.trainable() as f64),
            spread(result.source().score.value, result.source().deviation),
            (result.mean_target).map_or(UNDEFINED.to_owned(), |score| percent(score.value)),
            result.mean_gap.map_or(UNDEFINED.to_owned(), gap),
        ];
        if against_model {
            let mean = (comparison.statistics.against_model(result.method)).map(|tests| tests.mean);
            row.push(mean.map_or(UNDEFINED.to_owned(), |mean| difference(mean.difference)));
            let p = mean.and_then(|mean| mean.score_p_value);
            row.push(p.map_or(UNDEFINED.to_owned(), p_value));
        }
        row.push(learned(comparison, result).to_owned());
        row
    });
    let table = TextTable {
        words: &[0],
        rows: rows.collect(),
        header,
    };
    Some(format!(
        "{}\nThe most trainable parameters first. p is that of no difference to model tuning over other seeds and \
         passages, for each method by itself: of so many, some will be small by chance. Learned: clearly above the \
         untuned backbone and the floor on {}.\n\n## Every domain\n\n",
        table.markdown(),
        comparison.source
    ))
}

fn learned(comparison: &Comparison, result: &MethodResult) -> &'static str {
    match (result.method, result.learned(&comparison.domains[0])) {
        (Method::Untuned, _) => UNDEFINED,
        (_, Learned::Yes) => "yes",
        (_, Learned::NotAboveUntuned) => "no, not above the untuned backbone",
        (_, Learned::NotAboveFloor) => "no, not above the floor",
    }
}
