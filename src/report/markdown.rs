//! A comparison as markdown: the question, the answer, the table, what it cost, how to read it,
//! cautions, provenance.

pub mod calibration;
pub mod costs;
pub mod data;
pub mod differences;
pub mod groups;
pub mod origin;
pub mod retention;
pub mod robustness;
pub mod scores;
pub mod seeds;
pub mod spread;
pub mod table;

use super::comparison::Comparison;
use super::figures::Figure;
use super::number::{capital, list, metric_title, whole};
use super::study::Study;
use crate::domain::{AnswerForm, Task};

/// One study's section.
pub fn section(
    study: &Study,
    comparison: &Comparison,
    figures: &[Figure],
    figure_folder: &str,
) -> String {
    let mut text = format!(
        "# {} → {}\n\n",
        comparison.source,
        comparison.targets.join(", ")
    );
    if comparison.suite == "mini" {
        text.push_str(&generated_text(comparison));
    }
    text.push_str(&format!("{}\n\n", comparison.answer.join(" ")));
    text.push_str(&scores::table(comparison).markdown());
    text.push_str(&format!("\n{}\n\n", scores::caption(comparison)));
    for figure in figures {
        text.push_str(&format!(
            "![{}]({figure_folder}/{})\n\n",
            figure.title, figure.name
        ));
    }
    text.push_str(&differences::section(comparison));
    text.push_str(&retention::section(comparison));
    text.push_str(&robustness::section(comparison));
    text.push_str(&groups::section(comparison));
    text.push_str(&calibration::section(comparison));
    text.push_str("## What it cost\n\n");
    text.push_str(&costs::table(comparison).markdown());
    text.push_str(
        "\nMeans over seeds; memory is the highest over seeds. Training seconds leave out the \
         scoring of source validation.\n\n",
    );
    text.push_str(&data::section(study));
    text.push_str("## Every seed\n\n");
    text.push_str(&seeds::table(study, comparison).markdown());
    text.push('\n');
    text.push_str(&spread::section(comparison));
    text.push_str(&format!(
        "## The other metric: {}\n\n",
        metric_title(comparison.second_metric)
    ));
    text.push_str(&scores::second_table(comparison).markdown());
    text.push_str("\n## How to read it\n\n");
    for line in reading(comparison) {
        text.push_str(&format!("- {line}\n"));
    }
    text.push_str("\n## Cautions\n\n");
    for caution in &comparison.cautions {
        text.push_str(&format!("- {caution}\n"));
    }
    text.push_str("\n## Provenance\n\n");
    text.push_str(&origin::section(study, comparison));
    text
}

/// The first lines of a report on the bundled suite.
fn generated_text(comparison: &Comparison) -> String {
    let names: Vec<&str> = comparison
        .domains
        .iter()
        .map(|domain| domain.name.as_str())
        .collect();
    format!(
        "> **Generated text.** The domains of suite `mini` are written by grammars and only named \
         after what they imitate: these numbers say nothing about English, nor about the real {}. They \
         show the whole path on a laptop. The real thing:\n>\n\
         > ```sh\n> promptshift transfer 'squad->squadshifts_amazon' --data DIR --model DIR\n> ```\n\n",
        list(&names)
    )
}

fn reading(comparison: &Comparison) -> Vec<String> {
    let metric = metric_title(comparison.metric);
    let floor = match comparison.metric {
        "accuracy" => "always giving the label that is most common in source training",
        _ => "answering with a fact of the passage drawn at random",
    };
    let mut lines = vec![
        format!(
            "**Zero-shot.** Methods are trained on {source}'s training split, their best step is chosen \
             on {source}'s validation split, and targets are only ever scored.",
            source = comparison.source
        ),
        "**Prompt tuning** trains vectors put before the embedded input and leaves the backbone as it \
         is; **model tuning**, the paper's word for full fine-tuning, trains every parameter \
         (Lester et al. 2021)."
            .to_owned(),
        format!(
            "**{}** is in percent, Σ over all examples, then the mean over seeds; ± is the \
             standard deviation over seeds (n − 1): the spread of another training run, not of another \
             test set.",
            capital(metric)
        ),
        "**Gap** = source score − target score, in points: positive is lost. **Difference of gaps** = \
         gap of prompt tuning − gap of model tuning: negative favours prompt tuning."
            .to_owned(),
        format!(
            "**[low, high]** is a 95 % interval over seeds and passages: percentiles of {} resamples of \
             each domain's whole passages (questions on one passage are not independent), the same for \
             all methods, with the variance between seeds on top, stretched by Student's t for as few \
             seeds and passages as there are (4.30 instead of 1.96 for three seeds that differ by far \
             more than passages do). Where it holds zero, the data do not tell the sign.",
            whole(comparison.resamples as f64)
        ),
        "**p** is the level at which that interval would touch zero; **p of these runs** takes the \
         trained models as they are and swaps them on passages at random (sign flips), so it may be \
         small where another seed would say otherwise. Both are adjusted for the number of targets \
         (Holm 1979)."
            .to_owned(),
        format!(
            "**untuned** is the backbone as it was pre-trained; **floor** is the expected score of {floor}."
        ),
        "**Learning curves** show source validation, by which the best step is kept; test scores come \
         from that step."
            .to_owned(),
    ];
    lines.extend(answers(comparison));
    lines
}

/// How right answers are written, where there are two ways.
fn answers(comparison: &Comparison) -> Option<String> {
    let how = match (comparison.task, comparison.answers) {
        (Task::ExtractiveQa, AnswerForm::Padded) => {
            "with spaces around punctuation, as T5 trains and scores and the paper with it \
             (`--answers padded`). The official scripts are given them as published, which may score \
             an answer with punctuation inside it otherwise"
        }
        (Task::ExtractiveQa, AnswerForm::Raw) => {
            "as published, as the official scripts are given them (`--answers raw`). A prediction has \
             spaces around punctuation, as in training, so that an answer with punctuation inside a \
             word is never met; the paper pads its right answers too"
        }
        _ => return None,
    };
    Some(format!("**Right answers** are compared {how}."))
}
