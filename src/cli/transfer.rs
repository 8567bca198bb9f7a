//! `promptshift transfer 'squad->textbookqa'`: the main job.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::bail;
use clap::Args;

use super::Failure;
use super::crew::message::Job;
use super::crew::{self, Crew};
use super::data::Data;
use super::estimate;
use super::interrupt;
use super::learning_rate::{self, LearningRate};
use super::lora::Lora;
use super::narrator::Narrator;
use super::output::{self, Form};
use super::progress::Voice;
use super::redirection;
use super::run::{self, Run};
use super::wording;
use crate::backbone::{Backbone, BackboneChoice};
use crate::domain::AnswerForm;
use crate::domain::catalogue::{Catalogue, nearest};
use crate::domain::mixture::Mixing;
use crate::domain::wording::Wording;
use crate::experiment::{self, Event, Lab, Outcome};
use crate::material::Material;
use crate::network::Config;
use crate::plan::Plan;
use crate::provenance::Origin;
use crate::recipe::{
    Defaults, DeltaRecipe, Limits, Method, PreambleRecipe, PromptInit, PromptStart, Recipe,
    SubspaceRecipe, SubspaceStart, TuneOn,
};
use crate::record::store::{Store, folder_name, unfinished};
use crate::transfer::{ALL, Transfer};
use crate::tuning::prompt_file::PromptFile;
use crate::tuning::subspace::SubspaceFile;
use crate::tuning::{self, PromptError, head_form};

/// Flags of `transfer`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// SOURCE->TARGET[,TARGET...], in quotes since > is the shell's: 'squad->textbookqa',
    /// 'squad->all'. SOURCE:TARGET and two words do as well. 'squad+race->textbookqa' tunes one
    /// prompt, or whatever else, on a mixture of sources.
    #[arg(value_name = "TRANSFER", required = true, num_args = 1..=2)]
    transfer: Vec<String>,
    /// 'nano', the bundled miniature; a folder with config.json, tokenizer.json (or
    /// spiece.model) and model.safetensors (or its shards, or pytorch_model.bin) of a T5 v1.0 or
    /// v1.1; or OWNER/NAME of such a model of the Hub, once it was fetched.
    #[arg(long, default_value = "nano", value_name = "MODEL")]
    model: String,
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
    /// Rows at most of each evaluated split, drawn in the same way.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    eval_rows: Option<usize>,
    #[command(flatten)]
    run: Run,
    /// Print the comparison as JSON instead of the report.
    #[arg(long)]
    json: bool,
}

/// `--seeds`.
#[derive(Debug, Clone)]
pub(super) struct Seeds(pub(super) Vec<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("wanted a count (3) or a list of seeds (0,1,2), found '{text}'");
        let mut numbers = text
            .split(',')
            .map(|seed| seed.trim().parse::<u64>().map_err(|_| wanted()))
            .collect::<Result<Vec<u64>, String>>()?;
        if !text.contains(',') {
            numbers = (0..numbers[0]).collect();
        }
        let mut distinct = numbers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if numbers.is_empty() || distinct.len() < numbers.len() {
            return Err(wanted());
        }
        Ok(Seeds(numbers))
    }
}

/// `--init`.
#[derive(Debug, Clone)]
pub(super) struct Init(pub(super) PromptInit);

impl FromStr for Init {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Init(match text {
            "uniform" => PromptInit::Uniform,
            "uniform-one-sided" => PromptInit::UniformOneSided,
            "vocab" => PromptInit::Vocab,
            "labels" => PromptInit::Labels,
            _ => match (text.strip_prefix("text:"), text.strip_prefix("file:")) {
                (Some(words), _) => PromptInit::Text(words.to_string()),
                (None, Some(path)) => {
                    let file = PromptFile::open(Path::new(path)).map_err(|e| e.to_string())?;
                    PromptInit::File(PromptStart {
                        path: path.to_string(),
                        sha256: file.vectors.sha256(),
                    })
                }
                (None, None) => {
                    return Err(format!(
                        "wanted uniform, uniform-one-sided, vocab, labels, text:SOME WORDS or \
                         file:PROMPT, found '{text}'"
                    ));
                }
            },
        }))
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
        }),
    }))
}

/// `--answers`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers(pub(super) AnswerForm);

impl FromStr for Answers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [AnswerForm::Padded, AnswerForm::Raw]
            .into_iter()
            .find(|form| form.name() == text)
            .map(Answers)
            .ok_or_else(|| format!("wanted padded or raw, found '{text}'"))
    }
}

/// A whole number that is not 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("wanted a whole number of at least 1".to_string()),
        Ok(number) => Ok(number),
    }
}

/// `--trials`: one would be no search.
fn trials(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (2..=Recipe::MOST_TRIALS).contains(&count) => Ok(count),
        _ => Err(format!(
            "wanted 2 to {} trials, which is how far the grid goes",
            Recipe::MOST_TRIALS
        )),
    }
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let voice = arguments.run.voice();
    let catalogue = arguments.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(|e| Failure::Usage(e.into()))?;
    let config = choice.config()?;
    let (mut plan, redirected) =
        plan(&arguments, &catalogue, choice, &config).map_err(Failure::Usage)?;
    if let Some(file) = &redirected {
        voice.say(&format!(
            "The shell took `>` for itself: running '{}' and writing the report to the file \
             '{file}'. In quotes, the report goes to the screen: promptshift transfer '{}'",
            plan.transfer, plan.transfer
        ));
    }
    let all = arguments.methods.iter().any(|name| name == ALL);
    if all && arguments.subspace.is_none() && arguments.run.worker().is_none() {
        voice.say("intrinsic prompt tuning is left out of all: it needs --subspace FILE");
    }
    let device = arguments.run.on.find()?;
    let material = Material::read(&plan, &catalogue)?;
    let backbone = plan.backbone.load(&device)?;
    let backbone = (backbone.asked(&plan.wording, &material.source.card))
        .map_err(|e| Failure::Usage(e.into()))?;
    experiment::resolve(&mut plan, &material, &backbone);
    experiment::check(&plan, &material, &backbone).map_err(|e| Failure::Usage(e.into()))?;
    if arguments.run.dry_run {
        print!("{}", estimate::describe(&plan, &material, &backbone));
        return Ok(());
    }
    interrupt::listen()?;
    let out = arguments
        .run
        .out
        .clone()
        .unwrap_or_else(|| default_out(&plan));
    let first = plan.cells().into_iter().next().expect("the untuned cell");
    let worker = arguments.run.worker().is_some();
    let store = match worker {
        true => Store::join(&out, &first)?,
        false => Store::open(&out, &first)?,
    };
    let origin = origin(&arguments, &plan.transfer, &material, &backbone);
    let lab = Lab::new(&material, &backbone, &store, origin);
    if worker {
        return work(&plan, &lab, voice);
    }
    let mut narrator = Narrator::new(voice, plan.cells().len());
    let words = words(&arguments.transfer, &plan.transfer);
    let parameters = backbone.config.parameters();
    let outcome = match arguments.run.crew(parameters, words) {
        Some(crew) => side_by_side(&plan, &lab, &crew, &mut narrator)?,
        None => lab.run(&plan, &mut narrator.watch())?,
    };
    narrator.end();
    let form = match (arguments.json, &redirected) {
        (true, _) => Form::Json,
        (false, Some(_)) => Form::Markdown,
        (false, None) => Form::of_terminal(),
    };
    let files = arguments.run.files();
    output::write(&outcome.records, &unfinished(&out)?, &out, files, form)?;
    voice.say(&format!("report: {}", out.join("report.md").display()));
    Ok(outcome.complete()?)
}

/// Runs the plan by a crew: first the searches, since cells depend on them.
fn side_by_side(
    plan: &Plan,
    lab: &Lab,
    crew: &Crew,
    narrator: &mut Narrator,
) -> Result<Outcome, Failure> {
    let methods = plan.searched_methods();
    let searches = methods.iter().enumerate().map(|(at, method)| Job {
        name: format!("{SEARCH}{}", method.name()),
        number: at + 1,
        of: methods.len(),
    });
    crew.work(searches.collect())?;
    let cells = lab.searched(plan, &mut narrator.watch())?;
    let mut jobs = Vec::new();
    for (at, (cell, _)) in cells.iter().enumerate() {
        match lab.found(cell)? {
            Some(found) => narrator.tell(Event::Found(&found)),
            None => jobs.push(Job {
                name: folder_name(cell),
                number: at + 1,
                of: cells.len(),
            }),
        }
    }
    let failed = crew.work(jobs)?;
    Ok(lab.gather(&cells, &failed)?)
}

/// The beginning of the name of a job that is a method's search.
const SEARCH: &str = "search-";

/// Does the runs of the plan that another process gives out.
fn work(plan: &Plan, lab: &Lab, voice: Voice) -> Result<(), Failure> {
    crew::serve(|job| {
        let mut narrator = Narrator::of_job(voice, job, "");
        if let Some(name) = job.name.strip_prefix(SEARCH) {
            let method = method(name).map_err(Failure::Usage)?;
            lab.search(plan, method, &mut narrator.watch())?;
            return Ok(None);
        }
        let mut cells = lab.searched(plan, &mut narrator.watch())?;
        cells.retain(|(cell, _)| folder_name(cell) == job.name);
        let outcome = lab.run_cells(cells, &mut narrator.watch())?;
        Ok(outcome.failed.into_iter().next())
    })
}

/// Everything that was typed, resolved and checked; and the file that standard output goes to, if
/// the shell took the arrow apart.
fn plan(
    arguments: &Arguments,
    catalogue: &Catalogue,
    backbone: BackboneChoice,
    config: &Config,
) -> anyhow::Result<(Plan, Option<String>)> {
    let suite = arguments.data.suite(catalogue)?;
    let (transfer, redirected) = redirection::transfer(&arguments.transfer)?;
    let resolved = catalogue.resolve(&transfer, &suite)?;
    let known = Wording::default();
    let transfer = resolved.transfer();
    let card = &catalogue.source(&transfer.source)?;
    let asked = [resolved.sources, resolved.targets].concat();
    let wording = (arguments.wording).wording(known, card, &asked)?;
    wording::check_kind(&wording, config)?;
    if arguments.mixing.is_some() && !transfer.is_of_mixture() {
        bail!(
            "--mixing: '{}' is one source; wanted several, as in 'squad+race->textbookqa'",
            transfer.source
        );
    }
    let defaults = backbone.defaults(config);
    let subspace = (arguments.subspace.as_deref()).map(subspace).transpose()?;
    let mut methods = methods(&arguments.methods, defaults, config, &card.labels)?;
    let named = |name| arguments.methods.iter().any(|method| method == name);
    if subspace.is_none() && !named(Method::Intrinsic.name()) {
        methods.retain(|&method| method != Method::Intrinsic);
    }
    if subspace.is_some() && !methods.contains(&Method::Intrinsic) {
        bail!("--subspace: intrinsic is not among the methods that are tuned");
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
        if let Some(steps) = arguments.steps.filter(|_| recipe.trains()) {
            recipe.budget.steps = steps;
        }
        if let Some(size) = arguments.batch_size {
            recipe.budget.batch_size = size;
        }
        if let Some(rate) = rates.get(&method) {
            recipe.optimizer = recipe.optimizer.at(*rate);
        }
        arguments.lora.change(&mut recipe);
        if method == Method::Intrinsic {
            recipe.delta = Some(subspace.clone().ok_or(PromptError::NoSubspace)?);
            check_length(recipe.prompt_length(), &wording)?;
        }
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = prompt_length(arguments.prompt_length, &wording, prompt.length)?;
            if let Some(Init(init)) = &arguments.init {
                prompt.init = init.clone();
            }
        }
        if let (Some(DeltaRecipe::Preamble(PreambleRecipe::Instruction(words))), Some(init)) =
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
    Ok((
        Plan {
            transfer,
            suite,
            answers: answer_form(arguments.answers, config)?,
            wording,
            limits: Limits::default_for(task).within(config.positions()),
            backbone,
            methods,
            seeds: match &arguments.seeds {
                Some(Seeds(seeds)) => seeds.clone(),
                None => default_seeds(tuned.len()),
            },
            mixing: arguments.mixing.unwrap_or_default(),
            tune_on: tune_on(arguments),
            trials: arguments.trials,
            recipes,
            train_rows: arguments.train_rows,
            eval_rows: arguments.eval_rows,
        },
        redirected,
    ))
}

/// Five seeds for the comparison of a few methods, three where many are looked over: the time that a plan
/// takes grows with both.
fn default_seeds(methods: usize) -> Vec<u64> {
    match methods {
        ..=5 => (0..5).collect(),
        _ => (0..3).collect(),
    }
}

/// How rows are written for a model: its own form, or for a T5 the one that was asked for.
pub(super) fn answer_form(asked: Option<Answers>, config: &Config) -> anyhow::Result<AnswerForm> {
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

/// What `--tune-on` asks for; 0 examples are zero-shot, which is reported in any case.
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

/// `P`: the template's, the flag's, or the recipe's own.
fn prompt_length(flag: Option<usize>, wording: &Wording, own: usize) -> anyhow::Result<usize> {
    let template = (wording.template.as_ref()).map(|template| (template, template.vectors()));
    match (template, flag) {
        (Some((template, inside)), Some(length)) if inside > 0 && inside != length => bail!(
            "--prompt-length {length}: the template '{}' has places for {inside} vectors; wanted \
             as many, or no --prompt-length",
            template.name
        ),
        (Some((_, inside)), _) if inside > 0 => Ok(inside),
        (_, flag) => Ok(flag.unwrap_or(own)),
    }
}

/// Whether a prompt of a subspace has as many vectors as the template has places.
fn check_length(length: usize, wording: &Wording) -> anyhow::Result<()> {
    match &wording.template {
        Some(template) if ![0, length].contains(&template.vectors()) => bail!(
            "--subspace: its prompts have {length} vectors, and the template '{}' places for {}; wanted \
             as many",
            template.name,
            template.vectors()
        ),
        _ => Ok(()),
    }
}

/// Words before the input have no place among a template's soft tokens.
fn check_words(method: Method, wording: &Wording) -> anyhow::Result<()> {
    match &wording.template {
        Some(template) if template.vectors() > 0 => bail!(
            "--methods {}: it puts words where the template '{}' has places for a soft prompt's \
             vectors; wanted a template of words alone, or other methods",
            method.name(),
            template.name
        ),
        _ => Ok(()),
    }
}

/// The methods of these names; `all` is every one that makes sense on the model and with the source's
/// labels.
fn methods(
    names: &[String],
    defaults: Defaults,
    config: &Config,
    labels: &[String],
) -> anyhow::Result<Vec<Method>> {
    let fits = |method: &Method| match method {
        Method::Untuned => true,
        method => {
            let recipe = Recipe::default_for(defaults, *method);
            let has_labels = !labels.is_empty() || !tuning::wants_labels(&recipe);
            has_labels && tuning::fits(&recipe, config).is_ok()
        }
    };
    let mut methods = Vec::new();
    for name in names {
        let named = match name.as_str() {
            ALL => Method::ALL.into_iter().filter(fits).collect(),
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

/// The method of a name, or an error with the nearest known one.
pub(super) fn method(name: &str) -> anyhow::Result<Method> {
    let known = Method::ALL.map(Method::name);
    if let Some(method) = Method::ALL.into_iter().find(|m| m.name() == name) {
        return Ok(method);
    }
    let hint = match nearest(name, known).first() {
        Some(near) => format!("did you mean '{near}'? "),
        None => String::new(),
    };
    bail!("unknown method '{name}': {hint}known: {}", known.join(", "))
}

/// `runs/squad-to-textbookqa-mini-nano-<hash of the recipes>`.
fn default_out(plan: &Plan) -> PathBuf {
    let recipes =
        serde_json::to_vec(&(&plan.recipes, plan.limits, plan.train_rows, plan.eval_rows))
            .expect("recipes are plain data");
    // What has the paper's wording is called what it was called before there was another.
    let worded = match plan.wording.is_default() {
        true => Vec::new(),
        false => serde_json::to_vec(&plan.wording).expect("a wording is plain data"),
    };
    let mixed = match plan.transfer.is_of_mixture() {
        true => plan.mixing.to_string().into_bytes(),
        false => Vec::new(),
    };
    let gone_on = (plan.tune_on.as_ref()).map_or(Vec::new(), |tune_on| {
        serde_json::to_vec(tune_on).expect("plain data")
    });
    let hash = &crate::provenance::sha256(&[recipes, worded, mixed, gone_on].concat())[..8];
    let trials = plan
        .trials
        .map_or(String::new(), |trials| format!("-{trials}-trials"));
    let Transfer { source, targets } = &plan.transfer;
    let targets = match targets.len() {
        1..=3 => targets.join("-"),
        count => format!("{count}-targets"),
    };
    let (suite, model) = (plan.suite.name(), plan.backbone.name());
    // A name of the Hub would be two folders.
    let model = model.replace('/', "--");
    let answers = match plan.answers {
        AnswerForm::Padded => "",
        AnswerForm::Raw => "-raw",
        AnswerForm::Continued => "-continued",
    };
    Path::new("runs").join(format!(
        "{source}-to-{targets}-{suite}{answers}-{model}{trials}-{hash}"
    ))
}

fn origin(
    arguments: &Arguments,
    transfer: &Transfer,
    material: &Material,
    backbone: &Backbone,
) -> Origin {
    Origin {
        command: command(&arguments.transfer, transfer),
        data_sha256: material.hashes(),
        model_sha256: backbone.model_sha256.clone(),
        tokenizer_sha256: backbone.tokenizer_sha256.clone(),
        device: arguments.run.on.device.clone(),
        threads: rayon::current_num_threads(),
        side_by_side: arguments.run.worker().unwrap_or(1),
    }
}

/// The command line after the program's name, with the words of the transfer as it was understood and
/// without what makes a worker of it.
fn words(typed: &[String], transfer: &Transfer) -> Vec<String> {
    let mut words: Vec<String> = run::typed()
        .into_iter()
        .filter(|word| !typed.contains(word))
        .collect();
    words.insert(1.min(words.len()), transfer.to_string());
    words
}

/// The command as it can be typed again.
fn command(typed: &[String], transfer: &Transfer) -> String {
    let words = words(typed, transfer).into_iter().map(quoted);
    let program = std::iter::once("promptshift".to_string());
    program.chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
pub(super) fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=".contains(c);
    if word.chars().all(plain) && !word.is_empty() {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
