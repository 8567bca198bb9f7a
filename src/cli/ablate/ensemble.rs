//! `promptshift ablate ensemble`: N prompts for one source over one backbone, voting on predictions.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::{Shared, Usual};
use crate::cli::output;
use crate::cli::place::of_ablation;
use crate::cli::{Failure, help};
use crate::study::{Part, ReportKind};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::Variant;
use promptshift_numbers::record::ensemble::{MEMBERS, StoredEnsemble};
use promptshift_numbers::record::folder::{StoredRecord, find};
use promptshift_report as report;
use promptshift_tensors::backbone::BackboneChoice;

/// Five prompts, as in the paper, on all targets.
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
    /// 'nano' (the bundled miniature), a folder with a T5, or OWNER/NAME of a fetched model of the Hub.
    #[arg(long, default_value = "nano", value_name = "MODEL", help_heading = help::MODEL)]
    model: String,
    /// Use the prompts of a finished `transfer` in this folder, all its seeds, instead of tuning new ones. Nothing is
    /// computed: their predictions are stored.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["transfer", "model", "seeds", "steps", "train_rows", "validation_rows", "eval_rows", "dry_run", "save_plan", "suite", "data", "domains", "jobs"], help_heading = help::DATA)]
    from: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let shared = &arguments.shared;
    if let Some(folder) = &arguments.from {
        let records = tuned_prompts(folder)?;
        let transfer = records[0].record.cell.setting.transfer();
        let out = (shared.run.out.clone()).unwrap_or_else(|| of_ablation("ensemble", &transfer));
        let document = report::ensemble::document(&StoredEnsemble::of(&records)?)?;
        return Ok(output::write_document(&document, &out, shared.run.files())?);
    }
    let catalogue = shared.data.catalogue()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let plan = shared
        .plan(&choice, &[Method::Prompt], &catalogue, &DEFAULTS)
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
