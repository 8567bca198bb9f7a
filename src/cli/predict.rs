//! `promptshift predict`: answers the rows of one file, with or without a tuned prompt or adapter.

use std::path::{Path, PathBuf};

use clap::Args;

use super::progress::Verbosity;
use super::selection::{self, Model, On};
use super::{Failure, help, interrupt, print, transfer, values, wording};
use crate::experiment;
use crate::experiment::elsewhere::{check_head, check_places};
use promptshift_numbers::predictions::{self, Line};
use promptshift_numbers::recipe::{HeadForm, Limits};
use promptshift_numbers::record::Score;
use promptshift_numbers::score::metrics;
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::batch::encode;
use promptshift_tensors::eval::answerer::Answerer;
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::tuning::saved::{self, AdapterFile, Origin, PromptFile};
use promptshift_tensors::tuning::{self, Tuned};
use promptshift_text::atomic_file;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::labels::LabelMap;
use promptshift_text::domain::parquet::TableError;
use promptshift_text::domain::readers::{DataFile, Reader};
use promptshift_text::domain::wording::Wording;
use promptshift_text::domain::{AnswerForm, Example, Split, format};

/// Flags of `predict`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: Model,
    /// A soft prompt to put before every input: a prompt.safetensors or its folder, a .npy, or a PEFT prompt's folder.
    /// Without it the model answers untuned.
    #[arg(long, value_name = "PROMPT", conflicts_with = "adapter")]
    prompt: Option<PathBuf>,
    /// An adapter.safetensors, which the other methods save, or its folder, or a PEFT adapter's folder.
    #[arg(long, value_name = "ADAPTER")]
    adapter: Option<PathBuf>,
    /// The rows to answer, in the domain's schema: parquet, or MRQA's lines (.jsonl.gz, .jsonl).
    #[arg(long, value_name = "FILE", help_heading = help::DATA)]
    data: PathBuf,
    /// The rows' domain: its schema, text format and metrics.
    #[arg(long, value_name = "NAME", help_heading = help::DATA)]
    domain: String,
    /// How right answers are written when predictions are compared with them: padded, with spaces around punctuation as
    /// in T5, or raw. Only for a T5.
    #[arg(long, value_name = "FORM", help_heading = help::EVALUATION)]
    answers: Option<values::Answers>,
    #[command(flatten)]
    wording: wording::Flags,
    /// The card of your own domain, like datasets/*.toml; may be repeated.
    #[arg(long, value_name = "CARD", help_heading = help::DATA)]
    domains: Vec<PathBuf>,
    /// The file for the predictions, one JSON object on each line; an existing file is never overwritten.
    #[arg(long, value_name = "P.jsonl", help_heading = help::OUTPUT)]
    out: PathBuf,
    /// Answer only the first N rows.
    #[arg(long, value_name = "N", value_parser = values::at_least_one, help_heading = help::DATA)]
    rows: Option<usize>,
    #[command(flatten)]
    on: On,
    /// Print only errors on standard error.
    #[arg(long, short, help_heading = help::OUTPUT)]
    quiet: bool,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let verbosity = if arguments.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::of_terminal()
    };
    let catalogue = Catalogue::with(&arguments.domains).map_err(Failure::usage)?;
    let card = &(catalogue.get(&arguments.domain)).map_err(Failure::usage)?;
    let choice = arguments.model.choice()?;
    let form =
        transfer::answer_form(arguments.answers, &choice.config()?).map_err(Failure::Usage)?;
    let device = arguments.on.find_one()?;
    atomic_file::check(&arguments.out)?;
    let prompt = arguments
        .prompt
        .as_deref()
        .map(PromptFile::open)
        .transpose()?;
    let adapter = arguments
        .adapter
        .as_deref()
        .map(AdapterFile::open)
        .transpose()?;
    if let Some(prompt) = &prompt {
        print::warn(&prompt.origin.notes(&prompt.path));
    }
    if let Some(adapter) = &adapter {
        print::warn(&adapter.origin.notes(&adapter.path));
    }
    let origin = match (&prompt, &adapter) {
        (Some(prompt), _) => Some(&prompt.origin),
        (None, Some(adapter)) => Some(&adapter.origin),
        (None, None) => None,
    };
    let tuned_on = origin.and_then(Origin::source);
    let known = origin.and_then(Origin::wording);
    let longest = origin.and_then(Origin::longest_input);
    let frozen_weights = (arguments.model.frozen_weights())
        .or_else(|| origin.and_then(Origin::frozen_weights))
        .unwrap_or_default();
    arguments.on.check_form(frozen_weights)?;
    let source = source(tuned_on, card, &catalogue);
    let asked = source.as_ref().unwrap_or(card);
    let labels = LabelMap::between(asked, card).map_err(Failure::usage)?;
    let wording = (arguments.wording)
        .wording(known.cloned().unwrap_or_default(), asked, &[card])
        .map_err(Failure::Usage)?;
    let Examples { examples, note } =
        read_examples(&arguments.data, card, form, &wording, arguments.rows)?;
    if let Some(note) = note {
        verbosity.say(&format!("{}: {note}", arguments.data.display()));
    }
    let backbone =
        selection::load_backbone(&choice, &device, verbosity)?.with_frozen_weights(frozen_weights);
    wording::check_kind(&wording, &[card], &backbone.config).map_err(Failure::Usage)?;
    let backbone = (backbone.with_wording(&wording, asked)).map_err(Failure::usage)?;
    // A newly initialised head answers by chance; a masked-word head is pre-trained.
    let words = (backbone.model.says_words()).then_some(HeadForm::Words(asked.labels.len()));
    let tuned = match (&prompt, &adapter) {
        (Some(prompt), _) => prompt.onto(&backbone)?,
        (None, Some(adapter)) => adapter.onto(&backbone)?,
        (None, None) => Tuned::untuned_on(&backbone, words, 0),
    };
    check_places(&wording, &tuned).map_err(Failure::usage)?;
    if !tuned.answers() {
        return Err(Failure::Usage(anyhow::anyhow!(
            "'{}' is {}, which has no head to answer with: wanted --adapter with an adapter.safetensors \
             from transfer",
            backbone.name,
            backbone.config.kind()
        )));
    }
    check_head(&tuned, &backbone, asked, &wording).map_err(Failure::usage)?;
    if let Some(prompt) = &prompt {
        advise(verbosity, prompt, &backbone);
    }
    if let Some(adapter) = &adapter
        && let saved::Origin::Peft { base_model, .. } = &adapter.origin
    {
        verbosity.say(&format!(
            "{} {}; its tensors fit '{}', but nothing else can be checked",
            adapter.path.display(),
            without_hash(base_model.as_deref()),
            backbone.name
        ));
    }
    interrupt::listen()?;
    // Nothing is trained, so the output limit is the answers'.
    let whole = Limits::default_for(card.task);
    let whole = Limits {
        target: whole.answer,
        ..whole
    };
    let vectors = tuned.prompt_length().unwrap_or(0);
    let limits = tuning::within(whole, vectors, &backbone.config)?;
    // The input limit that it was tuned with, if that is shorter: it may have been tuned beside methods that
    // need more positions.
    let limits = Limits {
        input: limits.input.min(longest.unwrap_or(usize::MAX)),
        ..limits
    };
    selection::say_cut(&whole, &limits, &backbone, verbosity);
    let asker = Answerer {
        source: asked,
        wording: &wording,
        tokenizer: &backbone.tokenizer,
        limits: &limits,
    };
    let answers = answers(&tuned, &examples, card, &asker, verbosity)?;
    let lines: Vec<Line> = examples
        .iter()
        .zip(answers)
        .map(|(example, answer)| Line {
            domain: card.name.clone(),
            tuned_on: source.as_ref().map(|source| source.name.clone()),
            prediction: experiment::prediction(
                example,
                &experiment::stored(String::new(), &answer),
                &labels,
            ),
            token_ids: answer.token_ids,
        })
        .collect();
    atomic_file::write(&arguments.out, &predictions::to_bytes(&lines))?;
    let scores: Vec<Score> = lines.iter().map(|line| line.prediction.score).collect();
    let scores: Vec<String> = metrics(card.task, &scores)
        .into_iter()
        .map(|(metric, value)| format!("{metric} {:.1} %", 100.0 * value))
        .collect();
    verbosity.say(&format!(
        "{}: {} predictions on {}: {}",
        arguments.out.display(),
        lines.len(),
        card.name,
        scores.join(", ")
    ));
    Ok(())
}

/// The answers, in the examples' order.
fn answers(
    tuned: &Tuned,
    examples: &[Example],
    card: &Card,
    asker: &Answerer,
    verbosity: Verbosity,
) -> Result<Vec<Answer>, Failure> {
    let encodings = encode(examples, asker.tokenizer, asker.limits);
    let mut work = verbosity.bar(&format!("predicting on {}", card.name), examples.len());
    let mut answering = asker.answering(tuned, card, &encodings)?;
    let seen = answering.try_for_each(|done| -> Result<(), Failure> {
        work.at(done?, "");
        Ok(interrupt::check()?)
    });
    work.end();
    seen?;
    Ok(answering.finish()?)
}

/// The domain that the prompt or adapter was tuned on, if its label strings can be read as the answered domain's.
fn source(tuned_on: Option<&str>, card: &Card, catalogue: &Catalogue) -> Option<Card> {
    let source = catalogue.source(tuned_on?).ok()?;
    (source.task == card.task).then_some(source)
}

/// Notes what can't be checked.
fn advise(verbosity: Verbosity, prompt: &PromptFile, backbone: &Backbone) {
    let unknown = match &prompt.origin {
        saved::Origin::Own(_) => return,
        saved::Origin::Npy { .. } => "names no backbone".to_string(),
        saved::Origin::Peft { base_model, .. } => without_hash(base_model.as_deref()),
    };
    verbosity.say(&format!(
        "{} {unknown}; its width {} fits '{}', but nothing else can be checked",
        prompt.path.display(),
        prompt.vectors.width(),
        backbone.name
    ));
}

/// A note on the model that PEFT's configuration names.
fn without_hash(base_model: Option<&str>) -> String {
    let name = base_model.unwrap_or("an unnamed model");
    format!("was tuned for '{name}' and has no hash of it")
}

/// The examples of a file.
pub struct Examples {
    /// In file order.
    pub examples: Vec<Example>,
    /// A note on how rows were chosen.
    pub note: Option<String>,
}

/// Reads at most `limit` rows of a file, parquet or MRQA's lines.
///
/// # Errors
/// It is absent, damaged, not in a layout of the domain's task, or has two different rows of the same name.
pub fn read_examples(
    path: &Path,
    card: &Card,
    answers: AnswerForm,
    wording: &Wording,
    limit: Option<usize>,
) -> Result<Examples, TableError> {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut examples = Vec::new();
    let mut reader = Reader::new(card, vec![DataFile::at(path.to_owned())], limit);
    for rows in reader.by_ref() {
        for row in rows?.into_iter().take(left) {
            left -= 1;
            examples.extend(format::examples(card, row, Split::Test, answers, wording));
        }
        if left == 0 {
            break;
        }
    }
    Ok(Examples {
        examples,
        note: {
            let notes = [reader.repeats_note(), reader.unlabelled_note()];
            let notes: Vec<String> = notes.into_iter().flatten().collect();
            (!notes.is_empty()).then(|| notes.join("; "))
        },
    })
}
