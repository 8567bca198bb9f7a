//! A comparison as markdown: the question, the answer, the tables, the figures, what it cost, the
//! rows, examples, how to read it, cautions, provenance. [`page`](super::page) makes HTML of it.

pub mod absent;
pub mod asked;
pub mod calibration;
pub mod costs;
pub mod data;
pub mod differences;
pub mod examples;
pub mod groups;
pub mod k_shot;
pub mod origin;
pub mod overview;
pub mod published;
pub mod ranking;
pub mod retention;
pub mod robustness;
pub mod runs;
pub mod scores;
pub mod search;
pub mod seeds;
pub mod spread;
pub mod table;
pub mod text;

use super::comparison::Comparison;
use super::figures::Figure;
use super::number::{capital, count, list, metric_title, whole};
use super::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::{AnswerForm, Task};
use promptshift_text::transfer::sources;
use table::{TextTable, UNDEFINED};

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
    text.push_str(&format!(
        "{} {}\n\n",
        question(comparison),
        comparison.answer.join(" ")
    ));
    text.extend(overview::section(comparison));
    text.push_str(&scores::table(comparison).markdown());
    text.push_str(&format!("\n{}\n\n", scores::caption(comparison)));
    if let Some(asked) = asked::caption(comparison) {
        text.push_str(&format!("{asked}\n\n"));
    }
    text.push_str(&differences::section(comparison));
    text.push_str(&published::section(comparison));
    text.push_str(&k_shot::section(comparison));
    text.push_str("## Figures\n\n");
    if comparison.is_of_many() {
        let featured = comparison.featured();
        let titles: Vec<&str> = featured
            .tuned()
            .map(|result| result.title.as_str())
            .collect();
        text.push_str(&format!(
            "The first has every method, the others {}: the paper's two, and those that score highest on targets.\n\n",
            list(&titles)
        ));
    }
    for figure in figures {
        text.push_str(&format!(
            "![{}]({figure_folder}/{})\n\n",
            figure.title, figure.name
        ));
    }
    text.push_str(&retention::section(comparison));
    text.push_str(&robustness::section(comparison));
    text.push_str(&groups::section(comparison));
    text.push_str(&calibration::section(comparison));
    text.push_str(&ranking::section(comparison));
    text.push_str("## Every seed\n\n");
    text.push_str(&seeds::table(study, comparison).markdown());
    text.push('\n');
    text.push_str(&runs::section(comparison));
    text.push_str(&spread::section(comparison));
    text.push_str(&format!(
        "## The other metric: {}\n\n",
        metric_title(comparison.second_metric)
    ));
    text.push_str(&scores::second_table(comparison).markdown());
    text.push('\n');
    text.push_str(&search::section(comparison));
    text.push_str("## What it cost\n\n");
    text.push_str(&costs::table(comparison).markdown());
    text.push_str(
        "\nMeans over seeds; memory is the highest over seeds. Training seconds leave out the \
         scoring of source validation. Of the peak in training, weights, gradients and optimiser state are \
         counted by their tensors (a forward pass has no gradients yet); activations are what else came with the step, working memory of \
         operations included; left over is what was there before: the model as it was loaded, the best \
         step's copy, the rows.",
    );
    text.push_str(&costs::beside(study));
    text.push_str("\n\n");
    text.push_str(&data::section(study));
    text.push_str(&examples::section(study, comparison));
    text.push_str("## How to read it\n\n");
    for line in reading(comparison) {
        text.push_str(&format!("- {line}\n"));
    }
    text.push_str("\n## Cautions\n\n");
    text.push_str(&cautions(comparison).markdown());
    text.push_str("\n## Provenance\n\n");
    text.push_str(&origin::section(study, comparison));
    text
}

/// The question of the study in one sentence.
fn question(comparison: &Comparison) -> String {
    let targets = match comparison.targets.as_slice() {
        [one] => one.clone(),
        many => count(many.len(), "other domain"),
    };
    format!(
        "**When a model tuned on {} meets {targets}, how much does it lose, and does tuning less of it \
         lose less?**",
        comparison.source
    )
}

/// What this may not show, in one table.
fn cautions(comparison: &Comparison) -> TextTable {
    let rows = comparison
        .cautions
        .iter()
        .map(|caution| {
            let remedy = match caution.remedy.as_str() {
                "" => UNDEFINED,
                remedy => remedy,
            };
            vec![
                caution.about.to_owned(),
                caution.seen.clone(),
                remedy.to_owned(),
            ]
        })
        .collect();
    TextTable {
        words: &[0, 1, 2],
        header: ["about", "what this may not show", "what would help"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    }
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
        "**Target against source**: on the thin line nothing is lost, on the dashed one as many points \
         as by model tuning, and above it fewer. Small markers are seeds."
            .to_owned(),
        "**Reliability**: answers are sorted by their confidence into bins of equally many; above the \
         diagonal they are right more often than the method says, below it less often."
            .to_owned(),
        "**Score against cost**: what is ringed is on the Pareto front, where nothing cheaper scores as \
         high. The ring goes by the means alone; where intervals overlap, it may be chance."
            .to_owned(),
        "**Learning curves** show source validation, by which the best step is kept; test scores come \
         from that step."
            .to_owned(),
    ];
    lines.extend(comparison.mixing.map(|mixing| mixture(comparison, mixing)));
    lines.push(format!(
        "**Budget.** As to tuning, {}.",
        search::budget(comparison)
    ));
    lines.extend(answers(comparison));
    lines.extend(absent(comparison));
    lines
}

/// The methods that a comparison of nearly all leaves out, so that nobody takes them for lost.
fn absent(comparison: &Comparison) -> Option<String> {
    let told = comparison.told();
    let absent: Vec<&str> = (Method::offered())
        .filter(|&method| method != Method::Untuned && !told.contains(&method))
        .map(Method::title)
        .collect();
    (absent.len() < told.len() && !absent.is_empty() && told.len() > Method::offered().count() / 2).then(|| {
        format!(
            "**Not here**: {}. `promptshift list methods` says what each needs of a model; WARP tunes words for \
             class labels and needs some, intrinsic prompt tuning a subspace (`--subspace`).",
            list(&absent)
        )
    })
}

/// What a source of several domains is.
fn mixture(comparison: &Comparison, mixing: Mixing) -> String {
    let members: Vec<String> = sources(&comparison.source).map(str::to_owned).collect();
    let rates = match mixing {
        Mixing::Equal => "at the same rate".to_owned(),
        Mixing::Proportional { cap } => format!(
            "at rates proportional to their training rows, none counted as more than {}",
            whole(cap as f64)
        ),
    };
    format!(
        "**Mixture.** One model or prompt is trained on {} together, {rates} (Raffel et al. 2020, §3.5.2). \
         Its source validation and source test have as many rows of each, so that the source score is over \
         all of them alike; \"Every group\" has it domain by domain.",
        list(&members)
    )
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
        (Task::ExtractiveQa, AnswerForm::Continued) => {
            "as published, as the official scripts are given them and as the model is trained to \
             write them"
        }
        _ => return None,
    };
    Some(format!("**Right answers** are compared {how}."))
}
