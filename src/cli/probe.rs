//! `promptshift probe squad`: which initialisation and learning rate let a method learn a source. Each combination is a
//! trial of a search, as `transfer --trials` runs them, of a few steps: trained on the source, scored on its validation
//! rows, kept in the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use comfy_table::Table;
use serde::Serialize;

use super::command::{command, quoted};
use super::estimate::in_words;
use super::run::Computing;
use super::selection::{Data, Model};
use super::study::{Session, Untuned, prepared};
use super::transfer::{answer_form, prompt_length};
use super::values::{Init, at_least_one, init_flag, init_kind, method, trials};
use super::{Failure, help, interrupt, print, wording};
use crate::plan::Plan;
use crate::study::{Models, Part, ReportKind, Study};
use promptshift_numbers::recipe::{Limits, Method, PromptInit, Recipe};
use promptshift_numbers::record::ablation::{Kind, Variant};
use promptshift_numbers::record::seal::sealed;
use promptshift_numbers::record::search::{Search, Trial, TrialEnd};
use promptshift_numbers::record::{Provenance, Setting};
use promptshift_numbers::score::Metric;
use promptshift_numbers::store::Store;
use promptshift_report::number::{capital, count, percent};
use promptshift_tensors::tuning::head_form;
use promptshift_text::atomic_file;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::wording::Wording;
use promptshift_text::transfer::{ALL, Transfer};

/// Flags of `probe`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The domain to tune on, or a mixture (squad+race).
    #[arg(value_name = "SOURCE")]
    source: String,
    #[command(flatten)]
    data: Data,
    /// Maximum number of training rows, drawn from all of them.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    train_rows: Option<usize>,
    /// Maximum number of source validation rows, which combinations are compared on.
    #[arg(long, value_name = "N", default_value = "200", value_parser = at_least_one, help_heading = help::DATA)]
    validation_rows: usize,
    #[command(flatten)]
    model: Model,
    /// The methods to try.
    #[arg(long, value_delimiter = ',', default_value = "prompt", value_name = "METHODS", help_heading = help::TRAINING)]
    methods: Vec<String>,
    /// Initialisations to try, for methods with a soft prompt [default: uniform, vocab and, if there are classes, labels].
    ///
    /// uniform, uniform-one-sided, vocab, labels, text:SOME WORDS without commas, file:PROMPT: those of `transfer --init`.
    #[arg(long, value_delimiter = ',', value_name = "INIT", help_heading = help::TRAINING)]
    inits: Vec<Init>,
    /// Learning rates to try for each initialisation: 5 are the recipe's and 0.1 to 10 times that.
    #[arg(long, value_name = "K", default_value = "5", value_parser = trials, help_heading = help::TRAINING)]
    trials: usize,
    /// Training steps of each combination, of which there are as many as initialisations times rates.
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one, help_heading = help::TRAINING)]
    steps: usize,
    /// Batch size, instead of the recipe's.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::TRAINING)]
    batch_size: Option<usize>,
    /// Vectors in the soft prompt, instead of the recipe's.
    #[arg(long, value_name = "P", help_heading = help::TRAINING)]
    prompt_length: Option<usize>,
    #[command(flatten)]
    wording: wording::Flags,
    #[command(flatten)]
    computing: Computing,
    /// Print probe.json instead of the table.
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
}

/// The content of probe.json.
#[derive(Debug, Serialize)]
struct Probe {
    /// The version of this schema.
    promptshift_probe: u32,
    source: String,
    suite: String,
    model: String,
    /// The training steps of each combination.
    steps: usize,
    /// The main metric's name. All scores are in [0, 1], on source validation.
    metric: &'static str,
    validation_rows: usize,
    untuned_score: f64,
    floor: Option<f64>,
    tried: Vec<Tried>,
    provenance: Provenance,
}

/// A method with one initialisation, at every rate.
#[derive(Debug, Serialize)]
struct Tried {
    method: Method,
    /// The value for `transfer --init`; absent for methods without a soft prompt.
    init: Option<String>,
    search: Search,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let computing = &arguments.computing;
    let verbosity = computing.verbosity();
    let study = study(arguments)?;
    let models = Models::on(computing.on.find()?);
    let prepared = prepared(computing, &models, study)?;
    let session = Session::new(computing, None, prepared, command(None))?;
    let (left, time) = session.trials_left()?;
    let parts = &session.study().parts;
    let all: usize = parts.iter().map(|part| trials_of(&part.plan)).sum();
    let plan = format!(
        "{} of {}, {left} to do: about {}",
        count(all, "combination"),
        count(arguments.steps, "step"),
        in_words(time)
    );
    if computing.dry_run {
        return Ok(print::line(plan)?);
    }
    verbosity.say(&plan);
    interrupt::listen()?;
    let folder = computing
        .out
        .clone()
        .unwrap_or_else(|| default_out(&parts[0].plan));
    let out = folder.join("probe.json");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Store::at(computing.store.path()).exists()?;
    let searched = session.searched()?;
    let (untuned, provenance) = session.untuned()?;
    let tried = searched.into_iter().map(|(part, method, search)| {
        let recipe = &parts[part].plan.recipes[&method];
        let init = recipe.prompt.as_ref().map(|prompt| init_flag(&prompt.init));
        Tried {
            method,
            init,
            search,
        }
    });
    let setting = &parts[0].plan.setting;
    let probe = Probe {
        promptshift_probe: 1,
        source: setting.source.clone(),
        suite: setting.suite.clone(),
        model: setting.model.clone(),
        steps: arguments.steps,
        metric: Metric::main(arguments.card()?.task).name(),
        validation_rows: untuned.rows,
        untuned_score: untuned.score,
        floor: untuned.floor,
        tried: tried.collect(),
        provenance,
    };
    let json = sealed(&probe);
    check_same(&out, &json)?;
    atomic_file::replace(&out, &json)?;
    match arguments.json {
        true => print::text(String::from_utf8_lossy(&json))?,
        false => {
            print::line(probe.table())?;
            print::line(probe.sentences(&untuned))?;
        }
    }
    verbosity.say(&format!("record: {}", out.display()));
    Ok(())
}

impl Arguments {
    fn card(&self) -> Result<Card, Failure> {
        let catalogue = self.data.catalogue()?;
        catalogue.source(&self.source).map_err(Failure::usage)
    }
}

/// Checks that a file that is there has the same results, from an earlier call.
///
/// # Errors
/// It has others, which would be lost.
fn check_same(path: &Path, new: &[u8]) -> Result<(), Failure> {
    let Ok(old) = fs::read(path) else {
        return Ok(());
    };
    let results = |bytes: &[u8]| {
        let mut json: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        for key in ["provenance", "sha256"] {
            json.as_object_mut()?.remove(key);
        }
        Some(json)
    };
    match results(&old) == results(new) {
        true => Ok(()),
        false => Err(Failure::Usage(anyhow!(
            "{}: wanted a place without other results; give another --out (what was computed is in the store)",
            path.display()
        ))),
    }
}

fn trials_of(plan: &Plan) -> usize {
    plan.searched_methods().len() * plan.trials.unwrap_or(0)
}

/// A part for each initialisation; methods without a soft prompt are in the first.
fn study(arguments: &Arguments) -> Result<Study, Failure> {
    if let Ok(transfer) = Transfer::parse(std::slice::from_ref(&arguments.source)) {
        return Err(Failure::Usage(anyhow!(
            "'{}' is a transfer; wanted its source alone: promptshift probe {}",
            arguments.source,
            transfer.source
        )));
    }
    let card = arguments.card()?;
    let base = plan(arguments, &card).map_err(Failure::Usage)?;
    let mut inits: Vec<PromptInit> = arguments.inits.iter().map(|Init(i)| i.clone()).collect();
    if inits.is_empty() {
        inits = vec![PromptInit::Uniform, PromptInit::Vocab];
        inits.extend((!card.labels.is_empty()).then_some(PromptInit::Labels));
    }
    let mut parts: Vec<Part> = Vec::new();
    for init in inits {
        let mut plan = base.clone();
        if !parts.is_empty() {
            plan.recipes.retain(|_, recipe| recipe.prompt.is_some());
            plan.methods
                .retain(|method| plan.recipes.contains_key(method));
        }
        let prompts = plan
            .recipes
            .values_mut()
            .filter_map(|recipe| recipe.prompt.as_mut());
        prompts.for_each(|prompt| prompt.init = init.clone());
        if plan.methods.is_empty() || parts.iter().any(|part| part.plan == plan) {
            continue;
        }
        parts.push(Part {
            variant: Some(Variant {
                folder: format!("{}-{}", parts.len() + 1, init_kind(&init)),
                place: init_kind(&init).to_owned(),
                series: String::new(),
            }),
            plan,
        });
    }
    Ok(Study {
        report: ReportKind::Ablation(Kind::Init),
        parts,
    })
}

/// The plan of one initialisation. It has no targets.
fn plan(arguments: &Arguments, card: &Card) -> anyhow::Result<Plan> {
    let catalogue = arguments.data.catalogue()?;
    let suite = arguments.data.suite(&catalogue)?;
    let typed = Transfer::parse(&[format!("{}->{ALL}", arguments.source)])?;
    let source = Transfer {
        targets: Vec::new(),
        ..typed
    };
    let resolved = catalogue.resolve(&source, &suite)?;
    let transfer = resolved.transfer();
    let backbone = arguments
        .model
        .choice()
        .map_err(|failure| anyhow!("{failure}"))?;
    let config = backbone.config()?;
    let wording = (arguments.wording).wording(Wording::default(), card, &resolved.sources)?;
    wording::check_kind(&wording, &resolved.sources, &config)?;
    let head = head_form(&config, card.task, card.labels.len(), wording.score_by)?;
    let defaults = backbone.defaults(&config);
    let mut recipes = BTreeMap::new();
    for name in &arguments.methods {
        let method = method(name)?;
        let recipe = match method {
            Method::Untuned | Method::Elsewhere | Method::Intrinsic => None,
            method => Some(Recipe::default_for(defaults, method)).filter(Recipe::trains),
        };
        let Some(recipe) = recipe else {
            bail!("--methods {name}: wanted a method that trains from a seed alone");
        };
        let mut recipe = Recipe { head, ..recipe };
        recipe.budget = recipe.budget.lasting(arguments.steps);
        recipe.budget.batch_size = arguments.batch_size.unwrap_or(recipe.budget.batch_size);
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = prompt_length(arguments.prompt_length, &wording, prompt.length)?;
        }
        recipes.insert(method, recipe);
    }
    Ok(Plan {
        setting: Setting {
            frozen_weights: arguments.model.frozen_weights().unwrap_or_default(),
            answers: answer_form(None, &config)?,
            wording,
            mixing: transfer.is_of_mixture().then(Default::default),
            train_rows: arguments.train_rows,
            validation_rows: Some(arguments.validation_rows),
            // Test rows are not used.
            eval_rows: Some(1),
            ..Setting::new(
                &transfer,
                &backbone.name(),
                &suite.name(),
                Limits::default_for(card.task),
            )
        },
        suite,
        cards: arguments.data.cards(),
        backbone,
        methods: recipes.keys().copied().collect(),
        seeds: vec![0],
        trials: Some(arguments.trials),
        recipes,
        elsewhere: Vec::new(),
    })
}

/// `runs/probe-squad-nano`.
fn default_out(plan: &Plan) -> PathBuf {
    let model = plan.setting.model.replace('/', "--");
    Path::new("runs").join(format!("probe-{}-{model}", plan.setting.source))
}

/// The score above which a combination learned: the higher baseline plus twice the largest standard error that a mean of
/// this many scores in [0, 1] can have, 0.5 / √rows.
fn bar(untuned: &Untuned) -> f64 {
    let baseline = untuned.score.max(untuned.floor.unwrap_or(0.0));
    baseline + 1.0 / (untuned.rows as f64).sqrt()
}

impl Probe {
    /// The methods that were tried, in order.
    fn methods(&self) -> Vec<Method> {
        let mut methods: Vec<Method> = self.tried.iter().map(|tried| tried.method).collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// A method's trial with the highest score, the first of equals; `None` if all failed.
    fn best(&self, method: Method) -> Option<(&Tried, &Trial)> {
        let mut best: Option<(f64, &Tried, &Trial)> = None;
        for tried in self.tried.iter().filter(|tried| tried.method == method) {
            for trial in &tried.search.trials {
                let score = trial.validation_score();
                if score.is_some_and(|score| best.is_none_or(|(highest, ..)| score > highest)) {
                    best = score.map(|score| (score, tried, trial));
                }
            }
        }
        best.map(|(_, tried, trial)| (tried, trial))
    }

    fn table(&self) -> Table {
        let mut table = print::table(&[
            "method",
            "start",
            "learning rate",
            "loss, first → last",
            &format!("validation {} [%]", self.metric),
            "step",
            "",
        ]);
        for method in self.methods() {
            let best = self.best(method).map(|(_, trial)| trial);
            for tried in self.tried.iter().filter(|tried| tried.method == method) {
                let mut trials: Vec<&Trial> = tried.search.trials.iter().collect();
                trials.sort_by(|a, b| a.learning_rate.total_cmp(&b.learning_rate));
                for trial in trials {
                    let [loss, score, step, mark] = cells(trial, best);
                    let start = tried.init.as_deref().unwrap_or("–").to_owned();
                    let rate = trial.learning_rate.to_string();
                    table.add_row([
                        method.name().to_owned(),
                        start,
                        rate,
                        loss,
                        score,
                        step,
                        mark,
                    ]);
                }
            }
        }
        print::right_align(&mut table, 2..6);
        table
    }

    /// Which combinations learned, and what to type.
    fn sentences(&self, untuned: &Untuned) -> String {
        let bar = bar(untuned);
        let floor = untuned.floor.map_or(String::new(), |floor| {
            format!(
                ", and answers that do not depend on the question have {} %",
                percent(floor)
            )
        });
        let rows = count(untuned.rows, "row");
        let mut lines = vec![format!(
            "On these {rows} the untuned model has {} %{floor}. Above {} % a combination counts as learning.",
            percent(untuned.score),
            percent(bar),
        )];
        for method in self.methods() {
            lines.push(self.sentence(method, bar));
        }
        lines.join("\n")
    }

    fn sentence(&self, method: Method, bar: f64) -> String {
        let (title, name) = (capital(method.title()), method.name());
        let Some((tried, trial)) = self.best(method) else {
            return format!(
                "{title}: every combination failed; try lower rates with more --trials."
            );
        };
        let score = trial.validation_score().unwrap_or_default();
        let start = tried.init.as_ref().map_or(String::new(), |init| {
            format!(" --init {}", quoted(init.as_ref()))
        });
        let flags = format!(
            "--methods {name}{start} --learning-rate {name}={}",
            trial.learning_rate
        );
        let of_method = self.tried.iter().filter(|tried| tried.method == method);
        let scores = of_method.flat_map(|tried| &tried.search.trials);
        let scores: Vec<Option<f64>> = scores.map(Trial::validation_score).collect();
        let learned = scores
            .iter()
            .flatten()
            .filter(|score| **score > bar)
            .count();
        match learned {
            0 => format!(
                "{title} did not learn {} in {} with any of {}; the best has {} %. Try more --steps, above all if a \
                 loss was still falling, a longer prompt or another --model.",
                self.source,
                count(self.steps, "step"),
                count(scores.len(), "combination"),
                percent(score)
            ),
            _ => format!(
                "{title} learns {} with {learned} of {}, best with {} %. For transfer: {flags}",
                self.source,
                count(scores.len(), "combination"),
                percent(score)
            ),
        }
    }
}

/// Loss, score, step and mark of a trial.
fn cells(trial: &Trial, best: Option<&Trial>) -> [String; 4] {
    let none = || "–".to_owned();
    match &trial.end {
        TrialEnd::Failed { reason } => [none(), none(), none(), format!("failed: {reason}")],
        TrialEnd::Scored {
            validation_score,
            best_step,
            train_loss,
            ..
        } => {
            let loss = train_loss.map(|[first, last]| format!("{first:.2} → {last:.2}"));
            let is_best = best.is_some_and(|best| std::ptr::eq(best, trial));
            [
                loss.unwrap_or_else(none),
                percent(*validation_score),
                best_step.to_string(),
                (if is_best { "best" } else { "" }).to_owned(),
            ]
        }
    }
}
