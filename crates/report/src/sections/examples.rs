//! On which examples do prompt tuning and model tuning disagree?

use std::collections::BTreeMap;

use crate::document::{Block, plain, quoted};
use crate::number::{joined, list, whole};
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::{Excerpt, Prediction, Texts};
use promptshift_text::domain::Task;
use promptshift_text::hash::sha256;

/// The right answers of prompt tuning and model tuning on the examples of one target, with one seed each.
#[derive(Debug, Clone, PartialEq)]
struct Disagreement<'a> {
    /// The seed compared: the smallest that both methods have.
    seed: u64,
    /// Examples that both answer correctly.
    both: usize,
    /// Examples that only prompt tuning answers correctly.
    prompt_alone: usize,
    /// Examples that only model tuning answers correctly.
    model_alone: usize,
    /// Examples that neither answers correctly.
    neither: usize,
    /// Some examples that only one answers correctly, alternating between the methods.
    examples: Vec<Disputed<'a>>,
}

/// An example on which the methods disagree.
#[derive(Debug, Clone, PartialEq)]
struct Disputed<'a> {
    /// The method that answers it correctly.
    right: Method,
    /// Prompt tuning's prediction.
    prompt: &'a Prediction,
    /// Model tuning's prediction.
    model: &'a Prediction,
    /// The example's input, if the records contain it.
    input: Option<&'a str>,
}

/// The disagreement on a domain, by its index among the study's evaluations; `None` if a method has no records or the
/// methods have no seed in common. At most `most` examples are taken, in the order of the hashes of their ids, from
/// those whose text the records contain, if there are any.
fn disagreement<'a>(study: &Study<'a>, domain: usize, most: usize) -> Option<Disagreement<'a>> {
    let (prompts, models) = (study.of(Method::Prompt), study.of(Method::Model));
    let (prompt, model) = prompts.iter().find_map(|prompt| {
        let seed = prompt.record.cell.seed;
        let model = models.iter().find(|model| model.record.cell.seed == seed)?;
        Some((*prompt, *model))
    })?;
    let texts: BTreeMap<&str, &'a Excerpt> = (prompt.record.evaluations[domain].excerpts.iter())
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
    // The study was checked to have the same examples in the same order.
    for (one, other) in (prompt.predictions[domain].iter()).zip(&model.predictions[domain]) {
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
    // An answer without its question says little: such examples are shown only if the records contain no texts.
    let any_text = disputed.iter().flatten().any(|one| one.input.is_some());
    for kind in &mut disputed {
        kind.retain(|disputed| disputed.input.is_some() || !any_text);
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

/// The number of examples shown for a single target, and for each of several.
const SHOWN: [usize; 2] = [4, 2];

/// The section; empty if the methods have no seed in common.
pub fn blocks(study: &Study, results: &Results) -> Vec<Block> {
    let most = SHOWN[usize::from(results.targets.len() > 1)];
    let mut parts = Vec::new();
    for (target, name) in results.targets.iter().enumerate() {
        let Some(found) = disagreement(study, target + 1, most) else {
            continue;
        };
        parts.push(Block::Text(counted(name, &found)));
        match results.targets.len() {
            _ if found.examples.is_empty() => {}
            1 => parts.push(shown(&found)),
            _ => parts.push(Block::Details(
                format!("Examples from {name}"),
                vec![shown(&found)],
            )),
        }
    }
    if parts.is_empty() {
        return parts;
    }
    let right = match results.task {
        Task::ExtractiveQa => "A prediction is right if it matches a right answer exactly. ",
        _ => "",
    };
    let drawn = match study.records()[0].record.texts {
        Texts::Hashed => "The records contain hashes in place of texts, so no examples are shown.",
        Texts::Kept => {
            "Examples are drawn by a hash of their ids, alternating between the methods, and not selected by content."
        }
    };
    let heading = Block::heading("Where the methods disagree");
    let words = Block::Text(format!("{right}{drawn}"));
    [heading, words].into_iter().chain(parts).collect()
}

fn counted(target: &str, found: &Disagreement) -> String {
    let all = found.both + found.prompt_alone + found.model_alone + found.neither;
    let whole = |number: usize| whole(number as f64);
    format!(
        "**{}**, {} examples, seed {}: both right {}, only prompt tuning {}, only model tuning {}, \
         neither {}.",
        plain(target),
        whole(all),
        found.seed,
        whole(found.both),
        whole(found.prompt_alone),
        whole(found.model_alone),
        whole(found.neither)
    )
}

fn shown(found: &Disagreement) -> Block {
    let examples = found.examples.iter().map(example);
    Block::Text(joined("\n", examples))
}

fn example(disputed: &Disputed) -> String {
    let text = match disputed.input {
        Some(input) => format!("> {}\n\n", labelled(input)),
        None => String::new(),
    };
    let said = [
        (Method::Prompt, disputed.prompt),
        (Method::Model, disputed.model),
    ]
    .map(|(method, prediction)| answer(method, prediction, disputed.right == method));
    let answers = disputed.prompt.answers.iter().map(|one| quoted(one));
    format!(
        "Only {} is right, `{}`:\n\n{text}- right: {}\n{}",
        match disputed.right {
            Method::Prompt => "prompt tuning",
            _ => "model tuning",
        },
        disputed.prompt.id.replace('`', "'"),
        list(answers),
        said.concat()
    )
}

fn answer(method: Method, prediction: &Prediction, right: bool) -> String {
    let mark = if right { "✓" } else { "✗" };
    format!(
        "- {} {mark}: {}\n",
        method.title(),
        quoted(&prediction.prediction)
    )
}

/// An input with the names of its parts in bold. Colons are not escaped.
fn labelled(input: &str) -> String {
    let mut text = plain(input);
    for name in [
        "question:",
        "context:",
        "question1:",
        "question2:",
        "sentence1:",
        "sentence2:",
    ] {
        text = text.replacen(&format!("{name} "), &format!("**{name}** "), 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::study::studies;

    #[test]
    fn every_example_is_counted_once_and_shown_examples_have_texts() {
        let records = Fixture::one_target().records();
        let studies = studies(&records, &[]).expect("they belong together");
        let found = disagreement(&studies[0], 1, 4).expect("both methods have seed 0");
        let all = found.both + found.prompt_alone + found.model_alone + found.neither;
        assert_eq!((found.seed, all), (0, 240));
        assert_eq!(found.examples.len(), 4);
        for disputed in &found.examples {
            assert_eq!(disputed.prompt.id, disputed.model.id);
            let words = [disputed.prompt, disputed.model].map(|one| one.score.is_right());
            let is_prompt = disputed.right == Method::Prompt;
            assert_eq!(words, [is_prompt, !is_prompt]);
            let input = disputed.input.expect("a text");
            assert!(input.contains(&disputed.prompt.id));
        }
        let by_turns: Vec<Method> = found.examples.iter().map(|one| one.right).collect();
        assert_eq!(by_turns[..2], [Method::Prompt, Method::Model]);
    }

    #[test]
    fn without_a_common_seed_there_is_no_disagreement() {
        let mut records = Fixture::one_target().records();
        records.retain(|stored| stored.record.cell.method != Method::Model);
        let studies = studies(&records, &[]).expect("they belong together");
        assert_eq!(disagreement(&studies[0], 1, 4), None);
    }
}
