//! `promptshift ablate length` and `init`: what the prompt itself is.

use clap::Args;

use super::{Miniature, Planned, Shared, run_settings};
use crate::cli::Failure;
use crate::cli::values::Init;
use crate::plan::Plan;
use promptshift_numbers::recipe::{Method, PromptInit};
use promptshift_numbers::record::ablation::{Kind, Setting};
use promptshift_report::ablation::{LABELS, UNIFORM, VOCAB};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::Task;

/// Five lengths, or four starts, with three seeds. Starts from class labels need a source with some, as qqp; the
/// miniature does not learn that one in so few steps.
const MINIATURE: Miniature = Miniature {
    transfer: "squad->textbookqa,duorc,drop",
    seeds: 3,
    steps: 200,
    eval_rows: 200,
};

/// The text that a prompt starts from where none is given: what the task is.
fn default_text(task: Task) -> &'static str {
    match task {
        Task::Paraphrase => "Do both sentences say the same?",
        _ => "Read the text and answer the question.",
    }
}

/// Flags of `ablate length`.
#[derive(Debug, Args)]
pub(super) struct Lengths {
    #[command(flatten)]
    shared: Shared,
    /// 'nano', a folder that holds a T5, or OWNER/NAME of a model of the Hub, once it was fetched.
    #[arg(long, default_value = "nano", value_name = "MODEL")]
    model: String,
    /// The lengths, those of the paper by default.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,5,20,100,150",
        value_name = "P"
    )]
    lengths: Vec<usize>,
    /// How the prompts start, a line in the figure each: vocab, uniform, uniform-one-sided, labels,
    /// text:SOME WORDS.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "vocab",
        value_name = "INIT"
    )]
    inits: Vec<Init>,
}

/// Flags of `ablate init`.
#[derive(Debug, Args)]
pub(super) struct Inits {
    #[command(flatten)]
    shared: Shared,
    /// 'nano', a folder that holds a T5, or OWNER/NAME of a model of the Hub, once it was fetched.
    #[arg(long, default_value = "nano", value_name = "MODEL")]
    model: String,
    /// The starts: uniform in U[-0.5, 0.5] (the paper) and uniform-one-sided in U[0, 0.5) (its code),
    /// vocab, labels where the source has class labels, text:SOME WORDS; all of these by default. Also
    /// file:PROMPT, one that was tuned before. A text can't hold a comma.
    #[arg(long, value_delimiter = ',', value_name = "INIT")]
    inits: Vec<Init>,
    /// Vectors in the prompt; the recipe's where none is given.
    #[arg(long, value_name = "P")]
    prompt_length: Option<usize>,
}

/// Runs `ablate length`.
pub(super) fn length(arguments: &Lengths) -> Result<(), Failure> {
    let shared = &arguments.shared;
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let base = shared
        .plan(&choice, &[Method::Prompt], &catalogue, &MINIATURE)
        .map_err(Failure::Usage)?;
    let mut planned = Vec::new();
    for Init(init) in &arguments.inits {
        for &length in &arguments.lengths {
            let setting = Setting {
                folder: format!("length-{length}-{}", folder_name(init)),
                place: length.to_string(),
                series: name(init),
            };
            planned.push(with(&base, setting, Some(length), init));
        }
    }
    run_settings(Kind::Length, shared, distinct(planned)?)
}

/// Runs `ablate init`.
pub(super) fn init(arguments: &Inits) -> Result<(), Failure> {
    let shared = &arguments.shared;
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let base = shared
        .plan(&choice, &[Method::Prompt], &catalogue, &MINIATURE)
        .map_err(Failure::Usage)?;
    let source = catalogue.source(&base.transfer.source)?;
    let mut inits: Vec<PromptInit> = arguments.inits.iter().map(|Init(i)| i.clone()).collect();
    if inits.is_empty() {
        inits = vec![
            PromptInit::Uniform,
            PromptInit::UniformOneSided,
            PromptInit::Vocab,
        ];
        if !source.labels.is_empty() {
            inits.push(PromptInit::Labels);
        }
        inits.push(PromptInit::Text(default_text(source.task).to_owned()));
    }
    let planned = (inits.iter().enumerate())
        .map(|(at, init)| {
            // Texts and files are numbered where there are several.
            let before = inits[..at].iter().filter(|other| name(other) == name(init));
            let (folder, place) = match (init, before.count()) {
                (PromptInit::Text(_) | PromptInit::File(_), earlier @ 1..) => (
                    format!("init-{}-{}", folder_name(init), earlier + 1),
                    format!("{} {}", name(init), earlier + 1),
                ),
                _ => (format!("init-{}", folder_name(init)), name(init)),
            };
            let setting = Setting {
                folder,
                place,
                series: Method::Prompt.title().to_owned(),
            };
            with(&base, setting, arguments.prompt_length, init)
        })
        .collect();
    run_settings(Kind::Init, shared, distinct(planned)?)
}

/// The plan with another prompt.
fn with(base: &Plan, setting: Setting, length: Option<usize>, init: &PromptInit) -> Planned {
    let mut plan = base.clone();
    for recipe in plan.recipes.values_mut() {
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = length.unwrap_or(prompt.length);
            prompt.init = init.clone();
        }
    }
    Planned {
        setting,
        cells: plan.tuned_cells(),
        plan,
    }
}

/// Settings with folders of their own.
fn distinct(planned: Vec<Planned>) -> Result<Vec<Planned>, Failure> {
    for (at, one) in planned.iter().enumerate() {
        let folder = &one.setting.folder;
        if planned[..at]
            .iter()
            .any(|other| other.setting.folder == *folder)
        {
            let twice = anyhow::anyhow!("{folder}: wanted each setting once");
            return Err(Failure::Usage(twice));
        }
    }
    Ok(planned)
}

/// A start's name in reports.
fn name(init: &PromptInit) -> String {
    match init {
        PromptInit::Uniform => UNIFORM.to_owned(),
        PromptInit::UniformOneSided => "uniform from 0".to_owned(),
        PromptInit::Vocab => VOCAB.to_owned(),
        PromptInit::Labels => LABELS.to_owned(),
        PromptInit::Text(_) => "text".to_owned(),
        PromptInit::File(_) => "tuned before".to_owned(),
    }
}

fn folder_name(init: &PromptInit) -> &'static str {
    match init {
        PromptInit::Uniform => "uniform",
        PromptInit::UniformOneSided => "uniform-one-sided",
        PromptInit::Vocab => "vocab",
        PromptInit::Labels => "labels",
        PromptInit::Text(_) => "text",
        PromptInit::File(_) => "file",
    }
}
