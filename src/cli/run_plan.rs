//! `promptshift run PLAN`: runs a plan that `--save-plan` wrote, or a sweep of several transfers.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::command::command;
use super::estimate::Estimate;
use super::output::Form;
use super::run::{Extent, PlanArguments};
use super::study::{Request, estimated};
use super::sweep::{self, Swept};
use super::{Failure, print};
use crate::study::{Models, Study};
use promptshift_text::atomic_file;

/// Runs the command.
pub fn run(arguments: &PlanArguments) -> Result<(), Failure> {
    if is_sweep(&arguments.plan) {
        return run_sweep(arguments);
    }
    let (request, study) = read(arguments)?;
    request.run(study)
}

/// Whether a file is a sweep of several transfers.
pub fn is_sweep(plan: &Path) -> bool {
    plan.extension().is_some_and(|end| end == "toml")
}

/// The study of a plan that `--save-plan` wrote.
///
/// # Errors
/// It can't be read.
pub fn read(arguments: &PlanArguments) -> Result<(Request<'_>, Study), Failure> {
    let request = Request {
        flags: &arguments.run,
        form: match arguments.json {
            true => Form::Json,
            false => Form::of_terminal(),
        },
        command: command(None),
    };
    let study = Study::read(&arguments.plan).map_err(Failure::usage)?;
    Ok((request, study))
}

/// Refuses, for a sweep, flags that apply to one study only.
///
/// # Errors
/// There is one.
pub fn check_flags(arguments: &PlanArguments) -> Result<(), Failure> {
    let flags = &arguments.run;
    let one_study = [
        (arguments.json, "--json"),
        (flags.save_plan.is_some(), "--save-plan"),
        (
            !matches!(flags.cells.extent(), Extent::All | Extent::Report),
            "--list-cells, --cell or --partition",
        ),
    ];
    match one_study.iter().find(|(is_given, _)| *is_given) {
        None => Ok(()),
        Some((_, flag)) => Err(Failure::Usage(anyhow!(
            "{flag}: wanted one study, and {} is a sweep of several",
            arguments.plan.display()
        ))),
    }
}

/// Runs the studies of a sweep one after another. A failed study does not stop the others.
fn run_sweep(arguments: &PlanArguments) -> Result<(), Failure> {
    let flags = &arguments.run;
    check_flags(arguments)?;
    let verbosity = flags.verbosity();
    let models = Models::on(flags.computing.on.find()?);
    let swept = sweep::read(&arguments.plan, verbosity)?;
    let mut total = Estimate::default();
    for one in &swept {
        let of_one = estimated(flags, &models, one.study.clone());
        let of_one = of_one.map_err(|failure| failure.at(&one.place))?;
        verbosity.say(&format!("{}: {}", one.name, of_one.total()));
        total.add(of_one);
    }
    let sum = format!("{} studies: {}", swept.len(), total.total());
    if flags.computing.dry_run {
        return Ok(print::text(format!("{}{sum}\n", total.text))?);
    }
    verbosity.say(&sum);
    let out = out(arguments);
    fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let mut ended = Vec::new();
    for one in swept {
        let request = Request {
            flags: &flags.of_study(&out, &one.name),
            form: Form::Summary,
            command: command(None),
        };
        let end = match request.run_with(&models, one.study.clone()) {
            Ok(()) => Ended::Done,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                print::note(format_args!("{}: {failure}", one.place));
                Ended::Failed
            }
        };
        ended.push((one, end));
        // After each study, so that an interrupted sweep still lists its reports.
        write_index(&out, &ended)?;
    }
    verbosity.say(&format!("index: {}", out.join(INDEX).display()));
    let failed: Vec<&str> = (ended.iter())
        .filter(|(_, end)| *end == Ended::Failed)
        .map(|(one, _)| one.name.as_str())
        .collect();
    match failed.len() {
        0 => Ok(()),
        count => Err(Failure::Run(anyhow!(
            "{count} of {} studies are not complete: {}",
            ended.len(),
            failed.join(", ")
        ))),
    }
}

/// The outcome of a study of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its report is complete.
    Done,
    /// Part of it failed.
    Failed,
    /// Its jobs were submitted to Slurm.
    Submitted,
}

const INDEX: &str = "index.md";

/// The folder of a sweep: by default `runs/NAME`, with the name of its file.
pub fn out(arguments: &PlanArguments) -> PathBuf {
    let default = || Path::new("runs").join(arguments.plan.file_stem().unwrap_or_default());
    arguments.run.computing.out.clone().unwrap_or_else(default)
}

/// Writes the index of these studies and their reports, replacing an earlier one.
///
/// # Errors
/// It can't be written.
pub fn write_index(out: &Path, studies: &[(Swept, Ended)]) -> Result<(), Failure> {
    let mut text =
        "# Sweep\n\n| transfer | model | methods | report |\n| --- | --- | --- | --- |\n"
            .to_owned();
    for (one, end) in studies {
        let plan = &one.study.parts[0].plan;
        let methods: Vec<&str> = plan.methods.iter().map(|method| method.title()).collect();
        let link = format!("[{0}]({0}/report.md)", one.name);
        let report = match (end, out.join(&one.name).join("report.md").exists()) {
            (Ended::Done, _) => link,
            (Ended::Failed, true) => format!("{link}, not complete"),
            (Ended::Failed, false) => format!("{}: none, since it failed", one.name),
            (Ended::Submitted, _) => format!("{link}, when its jobs have ended"),
        };
        writeln!(
            text,
            "| {} | {} | {} | {report} |",
            plan.setting.transfer(),
            plan.setting.model,
            methods.join(", ")
        )
        .expect("strings take text");
    }
    Ok(atomic_file::replace(&out.join(INDEX), text.as_bytes())?)
}
