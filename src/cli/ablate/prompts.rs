//! Ablations of the prompt: `promptshift ablate length`, `init`, and `ensemble` (N prompts for one source
//! over one backbone, voting on predictions).

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::shared::{Shared, Usual};
use crate::cli::run::of_ablation;
use crate::cli::values::{Init, init_kind};
use crate::cli::{Failure, help, output};
use crate::plan::Plan;
use crate::study::{Part, ReportKind};
use promptshift_numbers::recipe::{Method, PromptInit};
use promptshift_numbers::record::ablation::{Kind, Variant};
use promptshift_numbers::record::ensemble::{MEMBERS, StoredEnsemble};
use promptshift_numbers::record::folder::{StoredRecord, find};
use promptshift_report as report;
use promptshift_report::ablation::{LABELS, UNIFORM, VOCAB};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::Task;

/// Three seeds of each length or initialisation. Initialising from class labels needs a source with labels,
/// such as qqp, which the miniature does not learn in so few steps.
const USUAL: Usual = Usual {
    transfer: "squad->textbookqa,duorc,drop",
    seeds: 3,
    eval_rows: 200,
};

/// The default text to initialise a prompt from: a description of the task.
fn default_text(task: Task) -> &'static str {
    match task {
        Task::Paraphrase => "Do both sentences say the same?",
        Task::Entailment => "Does the premise entail the hypothesis?",
        Task::Sentiment => "Is the opinion of the text negative or positive?",
        Task::Toxicity => "Is the text toxic?",
        _ => "Read the text and answer the question.",
    }
}

/// Flags of `ablate length`.
#[derive(Debug, Args)]
pub(super) struct Lengths {
    #[command(flatten)]
    shared: Shared,
    /// 'nano', a folder with a T5, or OWNER/NAME of a fetched model of the Hub.
    #[arg(long, default_value = "nano", value_name = "MODEL", help_heading = help::MODEL)]
    model: String,
    /// The prompt lengths [default: the paper's].
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,5,20,100,150",
        value_name = "P", help_heading = help::TRAINING)]
    lengths: Vec<usize>,
    /// Initialisations, each a line in the figure: vocab, uniform, uniform-one-sided, labels, text:SOME
    /// WORDS.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "vocab",
        value_name = "INIT"
    , help_heading = help::TRAINING)]
    inits: Vec<Init>,
}

/// Flags of `ablate init`.
#[derive(Debug, Args)]
pub(super) struct Inits {
    #[command(flatten)]
    shared: Shared,
    /// 'nano', a folder with a T5, or OWNER/NAME of a fetched model of the Hub.
    #[arg(long, default_value = "nano", value_name = "MODEL", help_heading = help::MODEL)]
    model: String,
    /// Initialisations to compare [default: all but file].
    ///
    /// uniform in U[-0.5, 0.5] (the paper), uniform-one-sided in U[0, 0.5) (its code), vocab, labels (if the source has
    /// class labels), text:SOME WORDS without commas, and file:PROMPT, an earlier prompt.
    #[arg(long, value_delimiter = ',', value_name = "INIT", help_heading = help::TRAINING)]
    inits: Vec<Init>,
    /// Vectors in the prompt, instead of the recipe's.
    #[arg(long, value_name = "P", help_heading = help::TRAINING)]
    prompt_length: Option<usize>,
}

/// Runs `ablate length`.
pub(super) fn length(arguments: &Lengths) -> Result<(), Failure> {
    let shared = &arguments.shared;
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let base = shared
        .plan(&choice, &[Method::Prompt], &catalogue, &USUAL)
        .map_err(Failure::Usage)?;
    let mut parts = Vec::new();
    for Init(init) in &arguments.inits {
        for &length in &arguments.lengths {
            let variant = Variant {
                folder: format!("length-{length}-{}", init_kind(init)),
                place: length.to_string(),
                series: name(init),
            };
            parts.push(with(&base, variant, Some(length), init));
        }
    }
    shared.run(ReportKind::Ablation(Kind::Length), distinct(parts)?)
}

/// Runs `ablate init`.
pub(super) fn init(arguments: &Inits) -> Result<(), Failure> {
    let shared = &arguments.shared;
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let base = shared
        .plan(&choice, &[Method::Prompt], &catalogue, &USUAL)
        .map_err(Failure::Usage)?;
    let source = catalogue.source(&base.setting.source)?;
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
    let parts = (inits.iter().enumerate())
        .map(|(at, init)| {
            // Several texts or files are numbered.
            let before = inits[..at].iter().filter(|other| name(other) == name(init));
            let (folder, place) = match (init, before.count()) {
                (PromptInit::Text(_) | PromptInit::File(_), earlier @ 1..) => (
                    format!("init-{}-{}", init_kind(init), earlier + 1),
                    format!("{} {}", name(init), earlier + 1),
                ),
                _ => (format!("init-{}", init_kind(init)), name(init)),
            };
            let variant = Variant {
                folder,
                place,
                series: Method::Prompt.title().to_owned(),
            };
            with(&base, variant, arguments.prompt_length, init)
        })
        .collect();
    shared.run(ReportKind::Ablation(Kind::Init), distinct(parts)?)
}

/// The plan with another prompt.
fn with(base: &Plan, variant: Variant, length: Option<usize>, init: &PromptInit) -> Part {
    let mut plan = base.clone();
    for recipe in plan.recipes.values_mut() {
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = length.unwrap_or(prompt.length);
            prompt.init = init.clone();
        }
    }
    Part {
        variant: Some(variant),
        plan,
    }
}

/// Checks that every setting has its own folder.
fn distinct(parts: Vec<Part>) -> Result<Vec<Part>, Failure> {
    let folder = |part: &Part| part.variant.as_ref().map(|variant| variant.folder.clone());
    for (at, one) in parts.iter().enumerate() {
        if parts[..at].iter().any(|other| folder(other) == folder(one)) {
            let name = folder(one).unwrap_or_default();
            return Err(Failure::Usage(anyhow::anyhow!(
                "{name}: wanted each setting once"
            )));
        }
    }
    Ok(parts)
}

/// An initialisation's name in reports.
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

/// The paper's five prompts, on all targets.
const ENSEMBLE: Usual = Usual {
    transfer: "squad->all",
    seeds: 5,
    eval_rows: 500,
};

/// Flags of `ablate ensemble`.
#[derive(Debug, Args)]
pub(super) struct Ensembles {
    #[command(flatten)]
    shared: Shared,
    /// 'nano' (the bundled miniature), a folder with a T5, or OWNER/NAME of a fetched model of the Hub.
    #[arg(long, default_value = "nano", value_name = "MODEL", help_heading = help::MODEL)]
    model: String,
    /// Use all seeds' prompts of a finished `transfer` in this folder, instead of tuning new ones. Nothing is
    /// computed, since their predictions are stored.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["transfer", "model", "seeds", "steps", "train_rows", "validation_rows", "eval_rows", "dry_run", "save_plan", "suite", "data", "domains", "jobs"], help_heading = help::DATA)]
    from: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn ensemble(arguments: &Ensembles) -> Result<(), Failure> {
    let shared = &arguments.shared;
    if let Some(folder) = &arguments.from {
        let records = tuned_prompts(folder)?;
        let transfer = records[0].record.cell.setting.transfer();
        let out = (shared.run.computing.out.clone())
            .unwrap_or_else(|| of_ablation("ensemble", &transfer));
        let document = report::ensemble::document(&StoredEnsemble::of(&records)?)?;
        return Ok(output::write_document(&document, &out, shared.run.files())?);
    }
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let plan = shared
        .plan(&choice, &[Method::Prompt], &catalogue, &ENSEMBLE)
        .map_err(Failure::Usage)?;
    let variant = Variant {
        folder: MEMBERS.to_owned(),
        place: plan.seeds.len().to_string(),
        series: Method::Prompt.title().to_owned(),
    };
    let part = Part {
        variant: Some(variant),
        plan,
    };
    shared.run(ReportKind::Ensemble, vec![part])
}

/// The prompt-tuning records in a folder, one for each seed.
fn tuned_prompts(folder: &Path) -> Result<Vec<StoredRecord>, Failure> {
    let mut found = find(folder)?;
    found.retain(|stored| stored.record.cell.method == Method::Prompt);
    found.sort_by_key(|stored| stored.record.cell.seed);
    if found.is_empty() {
        return Err(anyhow!(
            "{}: wanted records of prompt tuning, found none",
            folder.display()
        )
        .into());
    }
    Ok(found)
}
