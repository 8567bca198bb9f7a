//! Examples that one method answers rightly and the other does not.

use std::collections::BTreeMap;

use super::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::{Excerpt, Prediction, Texts};
use promptshift_text::hash::sha256;

/// How prompt tuning and model tuning fare on the examples of one target, with one seed each.
#[derive(Debug, Clone, PartialEq)]
pub struct Disagreement<'a> {
    /// The seed compared: the smallest that both methods have.
    pub seed: u64,
    /// Examples that both answer rightly.
    pub both: usize,
    /// Examples that prompt tuning alone answers rightly.
    pub prompt_alone: usize,
    /// Examples that model tuning alone answers rightly.
    pub model_alone: usize,
    /// Examples that neither answers rightly.
    pub neither: usize,
    /// Some of those that one alone answers rightly, by turns.
    pub examples: Vec<Disputed<'a>>,
}

/// An example on which the methods disagree.
#[derive(Debug, Clone, PartialEq)]
pub struct Disputed<'a> {
    /// The method that answers it rightly.
    pub right: Method,
    /// What prompt tuning said.
    pub prompt: &'a Prediction,
    /// What model tuning said.
    pub model: &'a Prediction,
    /// The example's text, where the records keep it.
    pub input: Option<&'a str>,
}

/// The disagreement on a domain, by its place among the study's evaluations; `None` where a method
/// has no records or no seed is common to both. Examples are taken in the order of their ids' hashes,
/// at most `most` of them: of those whose text the records keep, if they keep any.
pub fn disagreement<'a>(study: &Study<'a>, domain: usize, most: usize) -> Option<Disagreement<'a>> {
    let (prompts, models) = (study.of(Method::Prompt), study.of(Method::Model));
    let (prompt, model) = prompts.iter().find_map(|prompt| {
        let seed = prompt.record.cell.seed;
        let model = models.iter().find(|model| model.record.cell.seed == seed)?;
        Some((*prompt, *model))
    })?;
    let texts: BTreeMap<&str, &'a Excerpt> = prompt.record.evaluations[domain]
        .excerpts
        .iter()
        .map(|excerpt| (excerpt.id.as_str(), excerpt))
        .collect();
    let mut found = Disagreement {
        seed: prompt.record.cell.seed,
        both: 0,
        prompt_alone: 0,
        model_alone: 0,
        neither: 0,
        examples: Vec::new(),
    };
    let mut disputed: [Vec<Disputed>; 2] = [Vec::new(), Vec::new()];
    // The study was checked: the same examples in the same order.
    for (one, other) in prompt.predictions[domain]
        .iter()
        .zip(&model.predictions[domain])
    {
        let right = match (one.score.is_right(), other.score.is_right()) {
            (true, true) => {
                found.both += 1;
                continue;
            }
            (false, false) => {
                found.neither += 1;
                continue;
            }
            (true, false) => {
                found.prompt_alone += 1;
                Method::Prompt
            }
            (false, true) => {
                found.model_alone += 1;
                Method::Model
            }
        };
        disputed[usize::from(right == Method::Model)].push(Disputed {
            right,
            prompt: one,
            model: other,
            input: texts
                .get(one.id.as_str())
                .map(|excerpt| excerpt.input.as_str()),
        });
    }
    if prompt.record.texts == Texts::Hashed {
        return Some(found);
    }
    // An answer without its question says little: such examples only stand in where no text is kept.
    let told = disputed.iter().flatten().any(|one| one.input.is_some());
    for kind in &mut disputed {
        kind.retain(|disputed| disputed.input.is_some() || !told);
        kind.sort_by_cached_key(|disputed| sha256(disputed.prompt.id.as_bytes()));
    }
    let [prompt_right, model_right] = disputed;
    let longest = prompt_right.len().max(model_right.len());
    let mut kinds = [prompt_right.into_iter(), model_right.into_iter()];
    for _ in 0..longest {
        found
            .examples
            .extend(kinds.iter_mut().filter_map(Iterator::next));
    }
    found.examples.truncate(most);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::study::studies;

    #[test]
    fn every_example_is_counted_once_and_those_shown_have_texts() {
        let records = Fixture::one_target().records();
        let studies = studies(&records, &[]).expect("they belong together");
        let found = disagreement(&studies[0], 1, 4).expect("both methods have seed 0");
        let all = found.both + found.prompt_alone + found.model_alone + found.neither;
        assert_eq!((found.seed, all), (0, 240));
        assert_eq!(found.examples.len(), 4);
        for disputed in &found.examples {
            assert_eq!(disputed.prompt.id, disputed.model.id);
            let words = [disputed.prompt, disputed.model].map(|one| one.score.is_right());
            assert_eq!(
                words,
                [true, false].map(|is| is == (disputed.right == Method::Prompt))
            );
            assert!(
                disputed
                    .input
                    .is_some_and(|text| text.contains(&disputed.prompt.id))
            );
        }
        let by_turns: Vec<Method> = found.examples.iter().map(|one| one.right).collect();
        assert_eq!(by_turns[..2], [Method::Prompt, Method::Model]);
    }

    #[test]
    fn without_a_common_seed_there_is_nothing_to_compare() {
        let mut records = Fixture::one_target().records();
        records.retain(|stored| stored.record.cell.method != Method::Model);
        let studies = studies(&records, &[]).expect("they belong together");
        assert_eq!(disagreement(&studies[0], 1, 4), None);
    }
}
