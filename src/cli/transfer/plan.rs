//! Turns the flags into a study, and runs it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::bail;

use super::Arguments;
use crate::cli::command::{command, typed_transfer};
use crate::cli::output::Form;
use crate::cli::progress::Verbosity;
use crate::cli::study::Request;
use crate::cli::values::{Answers, Elsewhere, Init, Seeds, method};
use crate::cli::{Failure, learning_rate, wording};
use crate::plan::Plan;
use crate::study::Study;
use promptshift_numbers::recipe::{
    Defaults, DeltaRecipe, GradientCheckpointing, Limits, Method, PreambleRecipe, PromptInit,
    Recipe, StepMemory, SubspaceRecipe, SubspaceStart, TuneOn,
};
use promptshift_numbers::record::Setting;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::network::{Config, Kind};
use promptshift_tensors::tuning::saved::SubspaceFile;
use promptshift_tensors::tuning::{self, PromptError, head_form};
use promptshift_text::domain::AnswerForm;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::wording::Wording;
use promptshift_text::transfer::ALL;

/// Defaults of the flags for numbers.
struct Amounts {
    /// The number of seeds for a few methods, and for many.
    seeds: [u64; 2],
    /// The recipe's steps are divided by this.
    steps_divisor: usize,
    validation_rows: usize,
    eval_rows: Option<usize>,
}

/// Five seeds for comparing a few methods, three for surveying many: a plan's time grows with both.
const USUAL: Amounts = Amounts {
    seeds: [5, 3],
    steps_divisor: 1,
    validation_rows: Setting::VALIDATION_ROWS,
    eval_rows: None,
};

/// With `--quick`.
const QUICK: Amounts = Amounts {
    seeds: [3, 3],
    steps_divisor: 3,
    validation_rows: 100,
    eval_rows: Some(200),
};

impl Amounts {
    fn seeds(&self, methods: usize) -> Vec<u64> {
        let [few, many] = self.seeds;
        match methods {
            ..=5 => (0..few).collect(),
            _ => (0..many).collect(),
        }
    }

    fn steps(&self, own: usize) -> usize {
        (own / self.steps_divisor).max(1)
    }
}

/// A parsed and checked command line.
pub struct Typed {
    /// The study.
    pub study: Study,
    /// The file of standard output, if the shell split the arrow.
    redirected: Option<String>,
}

/// The study of a command line; prints notes on it.
///
/// # Errors
/// A flag is invalid, or a file or domain does not exist.
pub fn typed(arguments: &Arguments, verbosity: Verbosity) -> Result<Typed, Failure> {
    let catalogue = arguments.data.catalogue()?;
    let choice = arguments.model.choice()?;
    let config = choice.config()?;
    let (plan, redirected) =
        plan(arguments, &catalogue, choice, &config).map_err(Failure::Usage)?;
    if let Some(file) = &redirected {
        verbosity.say(&format!(
            "The shell interpreted `>`: running '{}' and writing the report to the file \
             '{file}'. In quotes, the report goes to the screen: promptshift transfer '{}'",
            plan.setting.transfer(),
            plan.setting.transfer()
        ));
    }
    if arguments.quick {
        verbosity.say(
            "--quick: a rough look, with methods that are not trained to the end; omit it for a real comparison",
        );
    }
    let defaults = plan.backbone.defaults(&config);
    let all = arguments.methods.iter().any(|name| name == ALL);
    if all {
        for method in Method::offered() {
            if !plan.methods.contains(&method) {
                verbosity.say(&format!(
                    "{} is not part of all: {}",
                    method.title(),
                    left_out(method, defaults, config.kind())
                ));
            }
        }
    }
    Ok(Typed {
        study: Study::of(plan),
        redirected,
    })
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let (request, study) = read(&arguments)?;
    request.run(study)
}

/// The study of a command line, and how to run it.
///
/// # Errors
/// As [`typed`].
pub fn read(arguments: &Arguments) -> Result<(Request<'_>, Study), Failure> {
    let Typed { study, redirected } = typed(arguments, arguments.run.verbosity())?;
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
    Ok((request, study))
}

/// Resolves and checks all flags; also returns the file of standard output, if the shell split the arrow.
fn plan(
    arguments: &Arguments,
    catalogue: &Catalogue,
    backbone: BackboneChoice,
    config: &Config,
) -> anyhow::Result<(Plan, Option<String>)> {
    let suite = arguments.data.suite(catalogue)?;
    let (transfer, redirected) = typed_transfer(&arguments.transfer)?;
    let resolved = catalogue.resolve(&transfer, &suite)?;
    let known = Wording::default();
    let transfer = resolved.transfer();
    let card = &catalogue.source(&transfer.source)?;
    let targets = resolved.targets.iter();
    let asked: Vec<&Card> = resolved.sources.iter().copied().chain(targets).collect();
    let wording = (arguments.wording).wording(known, card, &asked)?;
    wording::check_kind(&wording, &asked, config)?;
    if arguments.mixing.is_some() && !transfer.is_of_mixture() {
        bail!(
            "--mixing: '{}' is one source; wanted several, as in 'squad+race->textbookqa'",
            transfer.source
        );
    }
    let usual = match arguments.quick {
        true => QUICK,
        false => USUAL,
    };
    let defaults = backbone.defaults(config);
    let subspace = (arguments.subspace.as_deref()).map(subspace).transpose()?;
    let mut methods = methods(&arguments.methods, defaults, config.kind(), &card.labels)?;
    let named = |name| arguments.methods.iter().any(|method| method == name);
    if subspace.is_none() && !named(Method::Intrinsic.name()) {
        methods.retain(|&method| method != Method::Intrinsic);
    }
    if subspace.is_some() && !methods.contains(&Method::Intrinsic) {
        bail!("--subspace: intrinsic is not among the tuned methods");
    }
    let task = card.task;
    let head = head_form(config, task, card.labels.len(), wording.score_by)?;
    let tuned: Vec<Method> = methods
        .iter()
        .copied()
        .filter(|&method| method != Method::Untuned)
        .collect();
    let rates = learning_rate::by_method(&arguments.learning_rate, &tuned)?;
    arguments.lora.check(&tuned, config)?;
    let mut recipes = BTreeMap::new();
    for &method in &tuned {
        let mut recipe = Recipe {
            head,
            ..Recipe::default_for(defaults, method)
        };
        let own = recipe.budget.steps;
        let steps = arguments.steps.unwrap_or(usual.steps(own));
        if recipe.trains() && steps != own {
            recipe.budget = recipe.budget.lasting(steps);
        }
        if let Some(size) = arguments.batch_size {
            recipe.budget.batch_size = size;
        }
        if recipe.trains() {
            let replicas = arguments.replicas.unwrap_or(NonZeroUsize::MIN);
            let batch = recipe.budget.batch_size;
            if replicas.get() > batch {
                bail!(
                    "--replicas {replicas}: a batch of {} has {batch} examples; wanted at most as many replicas",
                    method.title()
                );
            }
            recipe.memory = StepMemory {
                replicas,
                micro_batch: arguments.micro_batch,
                gradient_checkpointing: match arguments.gradient_checkpointing {
                    true => GradientCheckpointing::Blocks,
                    false => GradientCheckpointing::Off,
                },
            };
        }
        if let Some(rate) = rates.get(&method) {
            recipe.optimizer = recipe.optimizer.at(*rate);
        }
        arguments.lora.change(&mut recipe);
        if method == Method::Intrinsic {
            recipe.delta = subspace.clone().ok_or(PromptError::NoSubspace)?;
            check_length(recipe.prompt_length(), &wording)?;
        }
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = prompt_length(arguments.prompt_length, &wording, prompt.length)?;
            if let Some(Init(init)) = &arguments.init {
                prompt.init = init.clone();
            }
        }
        if let (DeltaRecipe::Preamble(PreambleRecipe::Instruction(words)), Some(init)) =
            (&mut recipe.delta, &arguments.init)
            && let Init(PromptInit::Text(text)) = init
        {
            words.clone_from(text);
        }
        if !recipe.trains() {
            check_words(method, &wording)?;
        }
        recipes.insert(method, recipe);
    }
    if !methods.contains(&Method::Untuned) {
        methods.insert(0, Method::Untuned);
    }
    Ok((
        Plan {
            setting: Setting {
                frozen_weights: arguments.model.frozen_weights().unwrap_or_default(),
                answers: answer_form(arguments.answers, config)?,
                wording,
                mixing: (transfer.is_of_mixture()).then(|| arguments.mixing.unwrap_or_default()),
                tune_on: tune_on(arguments),
                train_rows: arguments.train_rows,
                validation_rows: Some(arguments.validation_rows.unwrap_or(usual.validation_rows)),
                eval_rows: arguments.eval_rows.or(usual.eval_rows),
                ..Setting::new(
                    &transfer,
                    &backbone.name(),
                    &suite.name(),
                    Limits::default_for(task),
                )
            },
            suite,
            cards: arguments.data.cards(),
            backbone,
            methods,
            seeds: match &arguments.seeds {
                Some(Seeds(seeds)) => seeds.clone(),
                None => usual.seeds(tuned.len()),
            },
            trials: arguments.trials,
            recipes,
            elsewhere: (arguments.tuned.clone()).map_or(Vec::new(), |Elsewhere(runs)| runs),
        },
        redirected,
    ))
}

/// The form of rows for a model: its own or, for a T5, the requested one.
pub fn answer_form(asked: Option<Answers>, config: &Config) -> anyhow::Result<AnswerForm> {
    match (config, asked) {
        (Config::T5(_) | Config::Bert(_), asked) => {
            Ok(asked.map_or(AnswerForm::Padded, |Answers(form)| form))
        }
        (Config::DecoderOnly(_), None) => Ok(AnswerForm::Continued),
        (Config::DecoderOnly(_), Some(Answers(form))) => bail!(
            "--answers {}: {} reads and writes answers as published; leave it out",
            form.name(),
            config.kind()
        ),
    }
}

/// The value of `--tune-on`; 0 examples are zero-shot, which is always reported.
fn tune_on(arguments: &Arguments) -> Option<TuneOn> {
    let mut examples = arguments.tune_on.clone();
    examples.retain(|&count| count > 0);
    examples.sort_unstable();
    examples.dedup();
    (!examples.is_empty()).then(|| TuneOn {
        examples,
        steps: arguments.tune_on_steps.unwrap_or(TuneOn::STEPS),
    })
}

/// `P`: the template's, the flag's, or the recipe's.
pub fn prompt_length(flag: Option<usize>, wording: &Wording, own: usize) -> anyhow::Result<usize> {
    let template = (wording.template.as_ref()).map(|template| (template, template.vectors()));
    match (template, flag) {
        (Some((template, inside)), Some(length)) if inside > 0 && inside != length => bail!(
            "--prompt-length {length}: the template '{}' has room for {inside} vectors; wanted \
             as many, or no --prompt-length",
            template.name
        ),
        (Some((_, inside)), _) if inside > 0 => Ok(inside),
        (_, flag) => Ok(flag.unwrap_or(own)),
    }
}

/// Checks that a subspace's prompts have as many vectors as the template has slots for.
fn check_length(length: usize, wording: &Wording) -> anyhow::Result<()> {
    match &wording.template {
        Some(template) if ![0, length].contains(&template.vectors()) => bail!(
            "--subspace: its prompts have {length} vectors, but the template '{}' has room for {}; wanted \
             as many",
            template.name,
            template.vectors()
        ),
        _ => Ok(()),
    }
}

/// A prompt of words can't fill a template's soft-prompt slots.
fn check_words(method: Method, wording: &Wording) -> anyhow::Result<()> {
    match &wording.template {
        Some(template) if template.vectors() > 0 => bail!(
            "--methods {}: it puts words before the input, but the template '{}' has room for a soft prompt's \
             vectors; wanted a template without them, or other methods",
            method.name(),
            template.name
        ),
        _ => Ok(()),
    }
}

/// `--subspace`: the delta of method intrinsic.
fn subspace(path: &Path) -> anyhow::Result<DeltaRecipe> {
    let (file, sha256) = SubspaceFile::open(path)?;
    Ok(DeltaRecipe::Subspace(SubspaceRecipe {
        length: file.subspace.length(),
        dimension: file.subspace.dimension(),
        file: Some(SubspaceStart {
            path: path.display().to_string(),
            sha256,
            tuned_on: file.metadata.tuned_on(),
        }),
    }))
}

/// The methods of these names; `all` means every method that supports the model and the source's labels.
fn methods(
    names: &[String],
    defaults: Defaults,
    kind: Kind,
    labels: &[String],
) -> anyhow::Result<Vec<Method>> {
    let fits = |method: &Method| match method {
        Method::Untuned => true,
        method => {
            let recipe = Recipe::default_for(defaults, *method);
            let has_labels = !labels.is_empty() || !tuning::wants_labels(&recipe);
            has_labels && tuning::supports(&recipe, kind).is_ok()
        }
    };
    let mut methods = Vec::new();
    for name in names {
        let named = match name.as_str() {
            ALL => Method::offered().filter(fits).collect(),
            name => vec![method(name)?],
        };
        for method in named {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
    }
    Ok(methods)
}

/// Why `all` leaves a method out.
fn left_out(method: Method, defaults: Defaults, kind: Kind) -> String {
    match tuning::supports(&Recipe::default_for(defaults, method), kind) {
        Err(unfit) => unfit.to_string(),
        Ok(()) if method == Method::Intrinsic => "it needs --subspace FILE".to_owned(),
        Ok(()) => "it tunes words for class labels, and the source has none".to_owned(),
    }
}
