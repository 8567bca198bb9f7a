//! `promptshift transfer 'squad->textbookqa'`: the main command.

mod plan;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::learning_rate::LearningRate;
use super::lora::Lora;
use super::run::Run;
use super::selection::{Data, Model};
use super::values::{Answers, Elsewhere, Init, Seeds, at_least_one, trials};
use super::{help, wording};
use promptshift_text::domain::mixture::Mixing;

pub(super) use plan::{answer_form, prompt_length, read, run, typed};

/// Flags of `transfer`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// SOURCE->TARGET[,TARGET...], in quotes, since a shell interprets >.
    ///
    /// 'squad->textbookqa', 'squad->all'. SOURCE:TARGET and two words work too. 'squad+race->textbookqa' tunes on a
    /// mixture of sources.
    #[arg(value_name = "TRANSFER", required = true, num_args = 1..=2)]
    transfer: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// Maximum number of training rows, drawn from all of them.
    ///
    /// The same ones for every seed and method. For a mixture, the limit applies to each source.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    train_rows: Option<usize>,
    /// Maximum number of source validation rows, which choose steps and recipes [default: 500].
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    validation_rows: Option<usize>,
    /// Maximum number of rows of each evaluated split.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    eval_rows: Option<usize>,
    /// Rates of a mixture's sources: proportional, proportional:CAP or equal.
    ///
    /// As T5 mixes tasks: proportional to their rows, counting at most CAP rows each [default CAP: 65536].
    #[arg(long, value_name = "MIXING", help_heading = help::DATA)]
    mixing: Option<Mixing>,
    #[command(flatten)]
    model: Model,
    /// The methods to tune with; all for every method of `promptshift list methods`.
    ///
    /// prompt: a soft prompt for the frozen model. model: every parameter. The untuned model is always reported as
    /// well.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "prompt,model",
        value_name = "METHODS",
        help_heading = help::TRAINING
    )]
    methods: Vec<String>,
    /// How many seeds (3 means 0,1,2), or a list of them (7,11).
    ///
    /// Default: 5, or 3 for more than five methods.
    #[arg(long, value_name = "N|LIST", help_heading = help::TRAINING)]
    seeds: Option<Seeds>,
    /// A rough look: fewer seeds, steps and rows where no flag sets them.
    ///
    /// 3 seeds, a third of the recipe's steps, 100 validation rows and 200 rows of each evaluated split. It shows that
    /// a study runs and what its report looks like; methods are not trained to the end. The miniature takes about a
    /// minute.
    #[arg(long, help_heading = help::TRAINING)]
    quick: bool,
    /// Search each method's learning rate first, with K trials.
    ///
    /// The same number for every method, selected by source validation alone; the report shows all of them.
    #[arg(long, value_name = "K", value_parser = trials, help_heading = help::TRAINING)]
    trials: Option<usize>,
    /// Maximum number of training steps, instead of the recipe's.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::TRAINING)]
    steps: Option<usize>,
    /// Batch size, instead of the recipe's.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::TRAINING)]
    batch_size: Option<usize>,
    /// Share a batch among N replicas of the model, one on each of several devices.
    ///
    /// Gradients are summed before the optimiser's step, so the step is that of the whole batch, except for
    /// rounding and, with dropout, other masks. If there are fewer devices, replicas share them and compute one
    /// after another; the result is the same on any number of them.
    #[arg(long, value_name = "N", help_heading = help::TRAINING)]
    replicas: Option<NonZeroUsize>,
    /// Compute a batch in parts of at most N examples, to save memory.
    ///
    /// Gradients are summed before the optimiser's step, so the step is that of the whole batch, except for
    /// rounding and, with dropout, other masks.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::TRAINING)]
    micro_batch: Option<usize>,
    /// Recompute each block in the backward pass, to save memory.
    ///
    /// Gradients are the same except for rounding; each block's forward pass is computed twice.
    #[arg(long, help_heading = help::TRAINING)]
    gradient_checkpointing: bool,
    /// Learning rate, instead of the recipe's: 0.3, or prompt=0.3,model=0.001.
    #[arg(
        long,
        alias = "lr",
        value_delimiter = ',',
        value_name = "RATE|METHOD=RATE",
        help_heading = help::TRAINING
    )]
    learning_rate: Vec<LearningRate>,
    /// Vectors in the soft prompt, instead of the recipe's.
    #[arg(long, value_name = "P", help_heading = help::TRAINING)]
    prompt_length: Option<usize>,
    /// How the prompt is initialised: uniform, vocab, labels, text:WORDS, file:PROMPT, …
    ///
    /// uniform, uniform-one-sided, vocab, labels, text:SOME WORDS (also the instruction for the method of that name),
    /// or file:PROMPT, an earlier prompt of the length that --prompt-length or the recipe sets.
    #[arg(long, value_name = "INIT", help_heading = help::TRAINING)]
    init: Option<Init>,
    /// The subspace for method intrinsic.
    ///
    /// A file from `promptshift prompt subspace`. Without one, all leaves that method out.
    #[arg(long, value_name = "FILE", help_heading = help::TRAINING)]
    subspace: Option<PathBuf>,
    #[command(flatten)]
    lora: Lora,
    /// Also evaluate a model that was tuned elsewhere.
    ///
    /// In the same tables and tests, as NAME (tuned elsewhere): the folder of a PEFT prompt or adapter, a .npy, a file
    /// saved by promptshift, or the folder of a whole fine-tuned model. Several folders count as its runs, like a
    /// method's seeds. How they were tuned, and on which rows, is not known, and the report says so.
    #[arg(long, value_name = "NAME=DIR[,DIR...]", help_heading = help::EVALUATION)]
    tuned: Option<Elsewhere>,
    /// Also tune with K examples of each target, and report the K-shot curve.
    ///
    /// In addition to zero-shot: training continues from the result on the source, with K examples of each target's
    /// training split (4,16,64), for a fixed number of steps at the recipe's learning rate; no target row is used for
    /// selection. To tune a prompt on a target with a full recipe, start from a prompt: --init file:PROMPT.
    #[arg(long, value_delimiter = ',', value_name = "K,K,...", help_heading = help::EVALUATION)]
    tune_on: Vec<usize>,
    /// Steps for each K of --tune-on [default: 50].
    #[arg(long, value_name = "N", requires = "tune_on", value_parser = at_least_one, help_heading = help::EVALUATION)]
    tune_on_steps: Option<usize>,
    /// How right answers are written when predictions are scored: padded or raw.
    ///
    /// padded (the default): spaces around punctuation, as T5 and the paper score. raw: as published, as the official
    /// scripts compare. Only for questions with passages and a T5; a decoder-only model reads and writes everything as
    /// published.
    #[arg(long, value_name = "FORM", help_heading = help::EVALUATION)]
    answers: Option<Answers>,
    #[command(flatten)]
    wording: wording::Flags,
    #[command(flatten)]
    run: Run,
    /// Print the comparison as JSON instead of the report.
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
}
