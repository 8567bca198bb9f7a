//! `promptshift ablate ensemble`: N prompts of one source over one backbone, voting.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::{Shared, Usual, finish};
use crate::cli::command::command;
use crate::cli::{Failure, interrupt, study};
use crate::experiment::ensemble;
use crate::plan::Plan;
use crate::study::{Part, Study};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::Variant;
use promptshift_numbers::record::ensemble::{is_in, write};
use promptshift_numbers::record::folder::{StoredRecord, find};
use promptshift_tensors::backbone::BackboneChoice;

/// Five prompts, as the paper has them, on all targets.
const DEFAULTS: Usual = Usual {
    transfer: "squad->all",
    seeds: 5,
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
    #[arg(long, value_name = "DIR", conflicts_with_all = ["transfer", "seeds", "steps", "train_rows", "validation_rows", "eval_rows"])]
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
            let plan = plan_of(&found, suite, shared.data.cards(), &choice);
            (plan, Some(found))
        }
        None => {
            let plan = shared
                .plan(&choice, &[Method::Prompt], &catalogue, &DEFAULTS)
                .map_err(Failure::Usage)?;
            (plan, None)
        }
    };
    let out = shared.out("ensemble", &plan.setting.transfer());
    let variant = Variant {
        folder: PROMPTS.to_owned(),
        place: plan.seeds.len().to_string(),
        series: Method::Prompt.title().to_owned(),
    };
    let part = Part {
        variant: Some(variant),
        plan,
    };
    let mut session = shared.session(Study { parts: vec![part] })?;
    if shared.run.dry_run {
        return session.describe();
    }
    interrupt::listen()?;
    let records = match found {
        Some(found) => found,
        None => {
            let outcome = session.run(&out)?;
            // Fewer prompts would be another ensemble than the one that was asked for.
            outcome.complete()?;
            outcome.records
        }
    };
    if is_in(&out) {
        voice.say(&format!("{} has an ensemble already", out.display()));
        return finish(shared, &out);
    }
    let backbone = session.prepared().backbone(0)?;
    let material = &session.prepared().material;
    let origin = study::origin(
        material,
        &backbone,
        &command(None),
        &shared.run.on.device,
        1,
    );
    let mut work = None;
    let run = ensemble::run(
        &records,
        material,
        &backbone,
        &origin,
        &mut |domain, done, total| {
            let what = format!("{} prompts on {domain}", records.len());
            let work = work.get_or_insert_with(|| voice.work(&what, total));
            if work.what() != what {
                *work = voice.work(&what, total);
            }
            work.at(done, "");
            interrupt::check()
        },
    );
    if let Some(work) = work {
        work.end();
    }
    let (record, files) = run?;
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
    cards: Vec<PathBuf>,
    choice: &BackboneChoice,
) -> Plan {
    let cell = &records[0].record.cell;
    let recipe = cell.recipe.clone();
    Plan {
        setting: cell.setting.clone(),
        suite,
        cards,
        backbone: choice.clone(),
        methods: vec![cell.method],
        seeds: records.iter().map(|r| r.record.cell.seed).collect(),
        recipes: recipe
            .map(|recipe| (cell.method, recipe))
            .into_iter()
            .collect(),
        trials: cell.trials,
        elsewhere: Vec::new(),
    }
}
