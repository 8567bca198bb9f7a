//! `promptshift ablate length`: the paper's ablations, one command each. A setting is a plan like that
//! of `transfer`, with an output folder of its own below the ablation's; what has a record is not run
//! again.

mod backbones;
mod ensemble;
mod prompts;
mod runs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Failure;
use super::data::Data;
use super::run::{Run, SMALL};
use super::transfer::answer_form;
use super::values::{Seeds, at_least_one};
use super::{estimate, interrupt, model, output, print};
use crate::experiment;
use crate::material::Material;
use crate::plan::Plan;
use promptshift_numbers::recipe::{Defaults, Limits, Method, Recipe};
use promptshift_numbers::record::ablation::{self, Ablation, Kind, Setting};
use promptshift_numbers::record::{Cell, ensemble as ensemble_record};
use promptshift_report as report;
use promptshift_report::sheet::Sheet;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::transfer::Transfer;
use runs::Runs;

/// Flags of `ablate`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How many vectors a prompt needs.
    Length(prompts::Lengths),
    /// What a prompt starts from.
    Init(prompts::Inits),
    /// What the frozen model was pre-trained on.
    Objective(backbones::Objectives),
    /// For how long it was adapted as a language model.
    LmSteps(backbones::LmSteps),
    /// How large it is, with prompt tuning and model tuning.
    Scale(backbones::Scales),
    /// Prompts of several seeds, voting over one backbone.
    Ensemble(ensemble::Arguments),
}

/// Flags that every ablation has.
#[derive(Debug, Args)]
struct Shared {
    /// SOURCE->TARGET[,TARGET...], in quotes; each ablation has its own default.
    #[arg(value_name = "TRANSFER")]
    transfer: Option<String>,
    #[command(flatten)]
    data: Data,
    /// How many seeds (3 means 0,1,2), or a list of them (7,11).
    #[arg(long, value_name = "N|LIST")]
    seeds: Option<Seeds>,
    /// Training steps at most.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    steps: Option<usize>,
    /// Training rows at most, drawn: the same ones in every setting.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    train_rows: Option<usize>,
    /// Rows at most of each evaluated split, drawn likewise.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    eval_rows: Option<usize>,
    #[command(flatten)]
    run: Run,
}

/// What an ablation of the miniature has by default: by the estimate of `--dry-run`, about ten
/// minutes on two cores.
struct Miniature {
    transfer: &'static str,
    seeds: u64,
    steps: usize,
    eval_rows: usize,
}

/// One setting with the plan that it stands for.
struct Planned {
    setting: Setting,
    plan: Plan,
    cells: Vec<Cell>,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::Length(arguments) => prompts::length(&arguments),
        What::Init(arguments) => prompts::init(&arguments),
        What::Objective(arguments) => backbones::objective(&arguments),
        What::LmSteps(arguments) => backbones::lm_steps(&arguments),
        What::Scale(arguments) => backbones::scale(&arguments),
        What::Ensemble(arguments) => ensemble::run(&arguments),
    }
}

/// The report of the ablation in a folder, if it holds one.
///
/// # Errors
/// Its files are damaged.
pub fn sheet(folder: &Path) -> anyhow::Result<Option<Sheet>> {
    if ablation::is_in(folder) {
        return Ok(Some(report::ablation::sheet(&ablation::read(folder)?)?));
    }
    if ensemble_record::is_in(folder) {
        let stored = ensemble_record::read(folder)?;
        return Ok(Some(report::ensemble::sheet(&stored)?));
    }
    Ok(None)
}

impl Shared {
    /// The plan of some methods on a backbone, with their default recipes but for what was typed. On
    /// the miniature, `miniature` holds for what was not; published models have their papers' recipes.
    fn plan(
        &self,
        backbone: &BackboneChoice,
        methods: &[Method],
        catalogue: &Catalogue,
        miniature: &Miniature,
    ) -> anyhow::Result<Plan> {
        let suite = self.data.suite(catalogue)?;
        let typed = self.transfer.as_deref().unwrap_or(miniature.transfer);
        let transfer = Transfer::parse(&[typed.to_string()])?;
        let transfer = catalogue.resolve(&transfer, &suite)?.transfer();
        let task = catalogue.source(&transfer.source)?.task;
        let config = backbone.config()?;
        let small = config.parameters() < SMALL;
        let of_default = |value: usize| Some(value).filter(|_| small);
        let steps = self.steps.or(of_default(miniature.steps));
        let recipes = match small {
            true => Defaults::Nano,
            false => backbone.defaults(&config),
        };
        let recipe = |method: &Method| {
            let mut recipe = Recipe::default_for(recipes, *method);
            if let Some(steps) = steps.filter(|_| recipe.trains()) {
                recipe.budget = recipe.budget.lasting(steps);
            }
            (*method, recipe)
        };
        Ok(Plan {
            transfer,
            suite,
            answers: answer_form(None, &config)?,
            wording: Wording::default(),
            limits: Limits::default_for(task),
            backbone: backbone.clone(),
            methods: methods.to_vec(),
            seeds: match &self.seeds {
                Some(Seeds(seeds)) => seeds.clone(),
                None => (0..miniature.seeds).collect(),
            },
            recipes: methods.iter().map(recipe).collect::<BTreeMap<_, _>>(),
            trials: None,
            mixing: Mixing::default(),
            tune_on: None,
            train_rows: self.train_rows,
            validation_rows: None,
            eval_rows: self.eval_rows.or(of_default(miniature.eval_rows)),
        })
    }

    /// `runs/ablate-length-squad-to-drop` where nothing else was said.
    fn out(&self, kind: &str, transfer: &Transfer) -> PathBuf {
        let targets = match transfer.targets.as_slice() {
            few @ ([_] | [_, _] | [_, _, _]) => few.join("-"),
            many => format!("{}-targets", many.len()),
        };
        let name = format!("ablate-{kind}-{}-to-{targets}", transfer.source);
        (self.run.out.clone()).unwrap_or_else(|| Path::new("runs").join(name))
    }
}

/// Runs the cells of every setting that have no record yet, and writes the report.
fn run_settings(kind: Kind, shared: &Shared, mut planned: Vec<Planned>) -> Result<(), Failure> {
    let catalogue = shared.data.catalogue()?;
    let first = planned.first().expect("an ablation has settings");
    let out = shared.out(kind.name(), &first.plan.transfer);
    let first_limits = first.plan.limits;
    let material = Material::read(&first.plan, &catalogue)?;
    let mut runs = Runs::new(shared, &material, &out)?;
    // Settings are compared: where one has positions for shorter inputs alone, all have those.
    let mut limits = first_limits;
    for Planned { plan, .. } in &planned {
        let backbone = runs.backbone(plan)?;
        let found =
            experiment::check(plan, &material, &backbone).map_err(|e| Failure::Usage(e.into()))?;
        if found.input < limits.input {
            model::say_cut(&limits, &found, &backbone, shared.run.voice());
            limits = found;
        }
    }
    for one in &mut planned {
        one.plan.limits = limits;
        one.cells.iter_mut().for_each(|cell| cell.limits = limits);
    }
    if shared.run.dry_run {
        for Planned { plan, setting, .. } in &planned {
            let backbone = runs.backbone(plan)?;
            let described = estimate::describe(plan, &material, &backbone);
            print::text(format_args!(
                "{}, {}:\n{described}",
                setting.place, setting.series
            ))?;
        }
        return Ok(());
    }
    interrupt::listen()?;
    if shared.run.worker().is_some() {
        return runs.serve(&planned);
    }
    let settings = planned.iter().map(|one| one.setting.clone()).collect();
    Ablation::new(kind, settings).claim(&out)?;
    let outcome = runs.run(&planned)?;
    finish(shared, &out)?;
    Ok(outcome.complete()?)
}

/// Writes the report of the ablation in `out`.
fn finish(shared: &Shared, out: &Path) -> Result<(), Failure> {
    let sheet = sheet(out)?.expect("it has just been written");
    output::write_sheet(&sheet, out, shared.run.files())?;
    (shared.run.voice()).say(&format!("report: {}", out.join("report.md").display()));
    Ok(())
}
