//! `promptshift ablate ensemble`: N prompts of one source over one backbone, voting.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::runs::Runs;
use super::{Miniature, Planned, Shared, finish};
use crate::cli::Failure;
use crate::cli::{estimate, interrupt, print};
use crate::experiment::ensemble::{self, EnsembleRunError};
use crate::material::Material;
use crate::plan::Plan;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::Setting;
use promptshift_numbers::record::ensemble::{is_in, write};
use promptshift_numbers::record::store::{StoredRecord, find};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::transfer::Transfer;

/// Five prompts, as the paper has them, on all targets.
const DEFAULTS: Miniature = Miniature {
    transfer: "squad->all",
    seeds: 5,
    steps: 400,
    eval_rows: 500,
};

/// Flags of `ablate ensemble`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    shared: Shared,
    /// 'nano', the bundled miniature; a folder that holds a T5; or OWNER/NAME of a model of the Hub,
    /// once it was fetched.
    #[arg(long, default_value = "nano", value_name = "MODEL")]
    model: String,
    /// Take the prompts that a finished `transfer` left in this folder, all its seeds, instead of
    /// tuning some; transfer, rows and recipe are then those of its records.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["transfer", "seeds", "steps", "train_rows", "eval_rows"])]
    from: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let shared = &arguments.shared;
    let voice = shared.run.voice();
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let (plan, found) = match &arguments.from {
        Some(folder) => {
            let found = tuned_prompts(folder)?;
            let suite = shared.data.suite(&catalogue).map_err(Failure::Usage)?;
            let plan = plan_of(&found, suite, &choice);
            (plan, Some(found))
        }
        None => {
            let plan = shared
                .plan(&choice, &[Method::Prompt], &catalogue, &DEFAULTS)
                .map_err(Failure::Usage)?;
            (plan, None)
        }
    };
    let out = shared.out("ensemble", &plan.transfer);
    let material = Material::read(&plan, &catalogue)?;
    let mut runs = Runs::new(shared, &material, &out)?;
    let backbone = runs.backbone(&plan)?;
    if shared.run.dry_run {
        return Ok(print::text(estimate::describe(
            &plan, &material, &backbone,
        ))?);
    }
    interrupt::listen()?;
    let records = match found {
        Some(found) => found,
        None => {
            let planned = Planned {
                setting: Setting {
                    folder: PROMPTS.to_owned(),
                    place: plan.seeds.len().to_string(),
                    series: Method::Prompt.title().to_owned(),
                },
                cells: plan.tuned_cells(),
                plan,
            };
            if shared.run.worker().is_some() {
                return runs.serve(&[planned]);
            }
            let outcome = runs.run(&[planned])?;
            // Fewer prompts would be another ensemble than the one that was asked for.
            outcome.complete()?;
            outcome.records
        }
    };
    if is_in(&out) {
        voice.say(&format!("{} has an ensemble already", out.display()));
        return finish(shared, &out);
    }
    let origin = runs.origin(&backbone);
    let mut work = None;
    let run = ensemble::run(
        &records,
        &material,
        &backbone,
        &origin,
        &mut |domain, done, total| {
            let what = format!("{} prompts on {domain}", records.len());
            let work = work.get_or_insert_with(|| voice.work(&what, total));
            if work.what() != what {
                *work = voice.work(&what, total);
            }
            work.at(done, "");
            interrupt::flow()
        },
    );
    if let Some(work) = work {
        work.end();
    }
    let (record, files) = match run {
        Err(EnsembleRunError::Interrupted) => return Err(Failure::Interrupted),
        other => other?,
    };
    std::fs::create_dir_all(&out)?;
    write(&out, &record, files)?;
    finish(shared, &out)
}

/// The folder of the prompts that are tuned here.
const PROMPTS: &str = "prompts";

/// The records of prompt tuning below a folder, one a seed.
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

/// The plan that records were made by.
fn plan_of(
    records: &[StoredRecord],
    suite: promptshift_text::domain::suite::Suite,
    choice: &BackboneChoice,
) -> Plan {
    let cell = &records[0].record.cell;
    let recipe = cell.recipe.clone();
    Plan {
        transfer: Transfer {
            source: cell.source.clone(),
            targets: cell.targets.clone(),
        },
        suite,
        backbone: choice.clone(),
        methods: vec![cell.method],
        seeds: records.iter().map(|r| r.record.cell.seed).collect(),
        recipes: recipe
            .map(|recipe| (cell.method, recipe))
            .into_iter()
            .collect(),
        limits: cell.limits,
        answers: cell.answers,
        wording: cell.wording.clone(),
        trials: cell.trials,
        mixing: cell.mixing.unwrap_or_default(),
        tune_on: cell.tune_on.clone(),
        train_rows: cell.train_rows,
        validation_rows: cell.validation_rows,
        eval_rows: cell.eval_rows,
    }
}
