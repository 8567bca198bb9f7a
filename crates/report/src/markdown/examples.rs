//! Examples on which the methods disagree, with what they were given.

use super::text::{plain, quoted};
use crate::comparison::Comparison;
use crate::disagreement::{Disagreement, Disputed, disagreement};
use crate::number::{list, whole};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::{Prediction, Texts};
use promptshift_text::domain::Task;

/// Examples shown of a single target, and of each of several.
const SHOWN: [usize; 2] = [4, 2];

/// The section; nothing where no seed has both methods.
pub fn section(study: &Study, comparison: &Comparison) -> String {
    let most = SHOWN[usize::from(comparison.targets.len() > 1)];
    let parts: Vec<String> = (comparison.targets.iter().enumerate())
        .filter_map(|(target, name)| {
            let found = disagreement(study, target + 1, most)?;
            Some(match comparison.targets.len() {
                _ if found.examples.is_empty() => format!("{}\n\n", counted(name, &found)),
                1 => format!("{}\n\n{}", counted(name, &found), shown(&found)),
                _ => format!(
                    "{}\n\n<details><summary>Examples from {}</summary>\n\n{}</details>\n\n",
                    counted(name, &found),
                    name.replace(['<', '>', '&'], ""),
                    shown(&found)
                ),
            })
        })
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    let right = match comparison.task {
        Task::ExtractiveQa => "Right means an exact match with a right answer. ",
        _ => "",
    };
    let drawn = match study.records()[0].record.texts {
        Texts::Hashed => "Records hold hashes in place of texts, so that no example is shown.",
        Texts::Kept => {
            "Examples are drawn by a hash of their ids, those that one method alone has right by turns, \
             and not chosen for what they show."
        }
    };
    format!(
        "## Where the methods disagree\n\n{right}{drawn}\n\n{}",
        parts.concat()
    )
}

fn counted(target: &str, found: &Disagreement) -> String {
    let all = found.both + found.prompt_alone + found.model_alone + found.neither;
    let whole = |number: usize| whole(number as f64);
    format!(
        "**{}**, {} examples, seed {}: both right {}, prompt tuning alone {}, model tuning alone {}, \
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

fn shown(found: &Disagreement) -> String {
    let examples: Vec<String> = found.examples.iter().map(example).collect();
    format!("{}\n", examples.join("\n"))
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
    let answers: Vec<String> = disputed
        .prompt
        .answers
        .iter()
        .map(|one| quoted(one))
        .collect();
    format!(
        "{} alone is right, `{}`:\n\n{text}- right: {}\n{}",
        match disputed.right {
            Method::Prompt => "Prompt tuning",
            _ => "Model tuning",
        },
        disputed.prompt.id.replace('`', "'"),
        list(&answers),
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

/// An input with the names of its parts in bold. Escaping leaves a colon as it is.
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
