//! Whether similar prompts score alike on each other's domains, as Vu et al. 2022 (SPoT, arXiv 2110.07904, §5) found
//! for tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inspected, hundredth};
use crate::document::{Block, Table, or_dash};
use crate::number::{count, percent};
use promptshift_numbers::inspect::cosine;
use promptshift_numbers::stats::estimate::mean;
use promptshift_numbers::stats::mantel::{Mantel, mantel};

/// A prompt's scores, from its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The domain that it was tuned on.
    pub source: String,
    /// The main metric on each domain, including its own, in [0, 1].
    pub scores: BTreeMap<String, f64>,
}

/// Prompts grouped by domain, since prompts with other seeds are not other domains.
struct Domains<'a> {
    names: Vec<&'a str>,
    prompts: &'a [Inspected],
}

impl<'a> Domains<'a> {
    fn of(prompts: &'a [Inspected]) -> Self {
        let names: BTreeSet<&str> = (prompts.iter())
            .filter_map(|prompt| Some(prompt.scored.as_ref()?.source.as_str()))
            .collect();
        Domains {
            names: names.into_iter().collect(),
            prompts,
        }
    }

    /// The indices and scores of the prompts that were tuned on a domain.
    fn tuned_on(&self, domain: &str) -> impl Iterator<Item = (usize, &'a Scored)> {
        let scored = self.prompts.iter().map(|prompt| prompt.scored.as_ref());
        (scored.enumerate())
            .filter_map(|(at, scored)| Some((at, scored?)))
            .filter(move |(_, scored)| scored.source == domain)
    }

    /// The mean score of a domain's prompts on another domain.
    fn score(&self, source: &str, asked: &str) -> Option<f64> {
        let scores = (self.tuned_on(source)).filter_map(|(_, scored)| scored.scores.get(asked));
        mean(&scores.copied().collect::<Vec<_>>())
    }

    /// The score of prompts of `source` on `asked`, divided by that of the prompts of `asked`.
    fn kept(&self, source: &str, asked: &str) -> Option<f64> {
        let own = self.score(asked, asked).filter(|own| *own > 0.0)?;
        Some(self.score(source, asked)? / own)
    }

    /// The mean similarity over pairs of prompts of both domains.
    fn alike(&self, one: &str, other: &str, alike: impl Fn(usize, usize) -> f64) -> f64 {
        let pairs = (self.tuned_on(one))
            .flat_map(|(a, _)| self.tuned_on(other).map(move |(b, _)| (a, b)))
            .map(|(a, b)| alike(a, b));
        mean(&pairs.collect::<Vec<_>>()).unwrap_or(0.0)
    }

    fn square<T>(&self, of: impl Fn(&str, &str) -> T) -> Vec<Vec<T>> {
        let row = |one: &&str| self.names.iter().map(|other| of(one, other)).collect();
        self.names.iter().map(row).collect()
    }
}

/// The section; `None` with fewer than three domains whose prompts are from records.
pub(super) fn section(prompts: &[Inspected], likenesses: &[Vec<f64>]) -> Option<[Block; 3]> {
    let domains = Domains::of(prompts);
    if domains.names.len() < 3 {
        return None;
    }
    let means: Vec<Vec<f32>> = prompts.iter().map(|prompt| prompt.vectors.mean()).collect();
    let of_means = |a: usize, b: usize| cosine(&means[a], &means[b]);
    let like = domains.square(|one, other| domains.alike(one, other, |a, b| likenesses[a][b]));
    let by_means = domains.square(|one, other| domains.alike(one, other, of_means));
    let kept = domains.square(|source, asked| domains.kept(source, asked));
    let pairs = (0..domains.names.len())
        .flat_map(|source| (0..domains.names.len()).map(move |asked| (source, asked)))
        .filter(|(source, asked)| source != asked);
    let rows = pairs.map(|(source, asked)| {
        vec![
            domains.names[source].to_owned(),
            domains.names[asked].to_owned(),
            hundredth(Some(like[source][asked])),
            hundredth(Some(by_means[source][asked])),
            or_dash(kept[source][asked], percent),
        ]
    });
    let header = "tuned on | scored on | prompt similarity | cosine of mean vectors | \
        retained, % of its own prompt's score";
    Some(Block::section(
        "Do similar prompts score alike on each other's domains?",
        Table::of(header).words(&[0, 1]).rows(rows),
        format!(
            "Rank correlation (Spearman's ρ) of the retained score with prompt similarity: {}; with the cosine of \
             mean vectors: {}. p by permutation of whole {} (Mantel 1967). Vu et al. 2022 (SPoT) found that prompts \
             of similar tasks transfer better.",
            words(mantel(&like, &kept)),
            words(mantel(&by_means, &kept)),
            count(domains.names.len(), "domain"),
        ),
    ))
}

fn words(found: Option<Mantel>) -> String {
    let Some(found) = found else {
        return "undefined (scores on each other's domains are missing or equal)".to_owned();
    };
    format!(
        "{} over {}, p {:.2}",
        hundredth(Some(found.rho)),
        count(found.pairs, "pair"),
        found.p_value
    )
}
