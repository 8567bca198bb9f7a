//! `promptshift transfer 'squad->textbookqa'`: the main job.

mod methods;
mod plan;

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::command::command;
use super::data::Data;
use super::learning_rate::LearningRate;
use super::lora::Lora;
use super::model::Model;
use super::output::Form;
use super::run::Run;
use super::study::Request;
use super::values::{Answers, Elsewhere, Init, Seeds, at_least_one, trials};
use super::wording;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::transfer::ALL;

use methods::left_out;
pub(super) use methods::method;
pub(super) use plan::answer_form;
use plan::plan;

/// Flags of `transfer`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// SOURCE->TARGET[,TARGET...], in quotes since > is the shell's: 'squad->textbookqa',
    /// 'squad->all'. SOURCE:TARGET and two words do as well. 'squad+race->textbookqa' tunes one
    /// prompt, or whatever else, on a mixture of sources.
    #[arg(value_name = "TRANSFER", required = true, num_args = 1..=2)]
    transfer: Vec<String>,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    data: Data,
    /// How right answers are written when predictions are compared with them: padded (spaces around
    /// punctuation, as T5 and the paper score) or raw (as published, as the official scripts are
    /// given). Questions with passages only; of a T5 only, padded where none is given. A decoder-only
    /// model reads and writes everything as published.
    #[arg(long, value_name = "FORM")]
    answers: Option<Answers>,
    #[command(flatten)]
    wording: wording::Flags,
    /// What is tuned: prompt (a soft prompt, the model frozen), model (everything), or others that
    /// `promptshift methods` lists; all for every one of them. The untuned model is always reported
    /// beside them.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "prompt,model",
        value_name = "METHODS"
    )]
    methods: Vec<String>,
    /// How many seeds (3 means 0,1,2), or a list of them (7,11). Where none are given 5, and 3 for more
    /// than five methods.
    #[arg(long, value_name = "N|LIST")]
    seeds: Option<Seeds>,
    /// Searches each method's recipe first: so many trials, the same number for every method, over its
    /// learning rate, chosen among by source validation alone; the report tells of all of them.
    #[arg(long, value_name = "K", value_parser = trials)]
    trials: Option<usize>,
    /// Training steps at most, instead of the recipe's.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    steps: Option<usize>,
    /// Examples a step, instead of the recipe's.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    batch_size: Option<usize>,
    /// The optimiser's learning rate, instead of the recipe's: 0.3 where one method is tuned,
    /// prompt=0.3,model=0.001 where several are.
    #[arg(
        long,
        alias = "lr",
        value_delimiter = ',',
        value_name = "RATE|METHOD=RATE"
    )]
    learning_rate: Vec<LearningRate>,
    /// Vectors in the soft prompt, instead of the recipe's.
    #[arg(long, value_name = "P")]
    prompt_length: Option<usize>,
    /// How the prompt starts: uniform, uniform-one-sided, vocab, labels, text:SOME WORDS (the
    /// instruction of the method of that name as well), or file:PROMPT, one that was tuned before, with
    /// as many vectors as --prompt-length or the recipe says.
    #[arg(long, value_name = "INIT")]
    init: Option<Init>,
    /// The subspace that method intrinsic tunes in: what `promptshift prompt subspace` wrote. Without one,
    /// all leaves that method out.
    #[arg(long, value_name = "FILE")]
    subspace: Option<PathBuf>,
    #[command(flatten)]
    lora: Lora,
    /// Evaluates what someone tuned elsewhere beside all that, in the same tables and tests, as NAME (tuned
    /// elsewhere): the folder of a PEFT prompt or adapter, a .npy, a file that promptshift left, or the folder of
    /// a whole fine-tuned model. Several are its runs, as seeds are of a method. How they were tuned, and on which
    /// rows, is not known, and the report says so.
    #[arg(long, value_name = "NAME=DIR[,DIR...]")]
    tuned: Option<Elsewhere>,
    /// At which rates the sources of a mixture are trained on, as T5 mixes tasks: proportional (to
    /// their rows, as if none had more than 65536), proportional:CAP, or equal.
    #[arg(long, value_name = "MIXING")]
    mixing: Option<Mixing>,
    /// Beside zero-shot: goes on, from what was tuned on the source, with so many examples of each
    /// target's training split (4,16,64), and reports the K-shot curve. Fixed steps at the recipe's
    /// learning rate; nothing is selected by any target row. To tune a prompt on a target with all of a
    /// recipe, start from one: --init file:PROMPT.
    #[arg(long, value_delimiter = ',', value_name = "K,K,...")]
    tune_on: Vec<usize>,
    /// Steps for each K of --tune-on; 50 where it is not given.
    #[arg(long, value_name = "N", requires = "tune_on", value_parser = at_least_one)]
    tune_on_steps: Option<usize>,
    /// Training rows at most, drawn from all of them: the same ones whatever the seed or the method. Of
    /// a mixture, of each source.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    train_rows: Option<usize>,
    /// Rows at most of the source's validation split, which choose steps and recipes, drawn in the same way; 500
    /// where none are given.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    validation_rows: Option<usize>,
    /// Rows at most of each evaluated split, drawn in the same way.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    eval_rows: Option<usize>,
    #[command(flatten)]
    run: Run,
    /// Print the comparison as JSON instead of the report.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let voice = arguments.run.voice();
    let catalogue = arguments.data.catalogue()?;
    let choice = arguments.model.choice()?;
    let config = choice.config()?;
    let (plan, redirected) =
        plan(&arguments, &catalogue, choice, &config).map_err(Failure::Usage)?;
    if let Some(file) = &redirected {
        voice.say(&format!(
            "The shell took `>` for itself: running '{}' and writing the report to the file \
             '{file}'. In quotes, the report goes to the screen: promptshift transfer '{}'",
            plan.setting.transfer(),
            plan.setting.transfer()
        ));
    }
    let defaults = plan.backbone.defaults(&config);
    let all = arguments.methods.iter().any(|name| name == ALL);
    if all {
        for method in Method::offered() {
            if !plan.methods.contains(&method) {
                voice.say(&format!(
                    "{} is left out of all: {}",
                    method.title(),
                    left_out(method, defaults, config.kind())
                ));
            }
        }
    }
    let halved = (redirected.as_deref()).map(|file| (arguments.transfer[0].as_str(), file));
    let request = Request {
        flags: &arguments.run,
        form: match (arguments.json, &redirected) {
            (true, _) => Form::Json,
            (false, Some(_)) => Form::Markdown,
            (false, None) => Form::of_terminal(),
        },
        command: command(halved),
    };
    request.run(Study::of(plan))
}
