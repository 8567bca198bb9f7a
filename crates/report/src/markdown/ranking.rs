//! Of two classes, whether their ranking comes along where their threshold does not.

use super::table::TextTable;
use crate::comparison::Comparison;
use crate::number::{list, percent, spread};
use crate::statistics::ranking::MethodRanking;
use promptshift_numbers::stats::estimate::{mean, standard_deviation};

/// The section, empty where no answers are ranked among two classes.
pub fn section(comparison: &Comparison) -> String {
    let methods: Vec<&MethodRanking> = comparison
        .tuned()
        .filter_map(|result| {
            let all = &comparison.statistics.ranking;
            all.iter().find(|one| one.method == result.method)
        })
        .collect();
    let Some(first) = methods.first() else {
        return String::new();
    };
    let classes: Vec<String> = (comparison.domains.iter().zip(&first.domains))
        .map(|(domain, ranking)| format!("“{}” on {}", ranking.class, domain.name))
        .collect();
    format!(
        "## The ranking or the threshold?\n\n{}\nThe class is {}. AUROC: how probable it is, in percent, that an \
         example of the class is given more of it than one that is not, ties half, 50 by chance (Hanley & McNeil \
         1982); mean ± standard deviation over seeds. No threshold is in it: where accuracy falls and AUROC \
         holds, the class is said too often or too rarely, which some labelled examples of the target would put \
         right; where AUROC falls, what tells the classes apart has not come along.\n\n",
        table(comparison, &methods).markdown(),
        list(&classes),
    )
}

fn table(comparison: &Comparison, methods: &[&MethodRanking]) -> TextTable {
    let header = ["", "AUROC", "the class is said", "the class is right"];
    let rows = methods.iter().flat_map(|method| {
        (comparison.domains.iter().zip(&method.domains)).map(|(domain, ranking)| {
            vec![
                format!("{}, {}", comparison.title(method.method), domain.name),
                spread(
                    mean(&ranking.auroc).unwrap_or(f64::NAN),
                    standard_deviation(&ranking.auroc),
                ),
                percent(ranking.said),
                percent(ranking.is),
            ]
        })
    });
    TextTable {
        words: &[0],
        header: header.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}
