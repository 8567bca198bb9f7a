//! `promptshift run PLAN`: what `--save-plan` wrote, or a sweep of several transfers, run here.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::command::command;
use super::estimate::Estimate;
use super::output::Form;
use super::run::PlanArguments;
use super::study::{Request, estimated};
use super::sweep::{self, Swept};
use super::{Failure, print};
use crate::study::Study;
use promptshift_text::atomic_file;

/// Runs it.
pub fn run(arguments: &PlanArguments) -> Result<(), Failure> {
    if is_sweep(&arguments.plan) {
        return run_sweep(arguments);
    }
    let (request, study) = read(arguments)?;
    request.run(study)
}

/// Whether a file is a sweep of several transfers.
fn is_sweep(plan: &Path) -> bool {
    plan.extension().is_some_and(|end| end == "toml")
}

/// The study of a plan that `--save-plan` wrote.
///
/// # Errors
/// It can't be read, or is a sweep.
pub fn read(arguments: &PlanArguments) -> Result<(Request<'_>, Study), Failure> {
    if is_sweep(&arguments.plan) {
        return Err(Failure::Usage(anyhow!(
            "{}: wanted one study, as --save-plan writes it; found a sweep of several: submit its transfers one by one",
            arguments.plan.display()
        )));
    }
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

/// Runs the studies of a sweep one after another. One that fails does not keep the others from being run.
fn run_sweep(arguments: &PlanArguments) -> Result<(), Failure> {
    let flags = &arguments.run;
    let one_study = [
        (arguments.json, "--json"),
        (flags.save_plan.is_some(), "--save-plan"),
    ];
    if let Some((_, flag)) = one_study.iter().find(|(is_given, _)| *is_given) {
        return Err(Failure::Usage(anyhow!(
            "{flag} is of one study, and {} is a sweep of several",
            arguments.plan.display()
        )));
    }
    let verbosity = flags.verbosity();
    let swept = sweep::read(&arguments.plan, verbosity)?;
    let mut total = Estimate::default();
    for one in &swept {
        let of_one =
            estimated(flags, one.study.clone()).map_err(|failure| failure.at(&one.place))?;
        verbosity.say(&format!("{}: {}", one.name, of_one.total()));
        total.add(of_one);
    }
    let sum = format!("{} studies: {}", swept.len(), total.total());
    if flags.dry_run {
        return Ok(print::text(format!("{}{sum}\n", total.text))?);
    }
    verbosity.say(&sum);
    let out = flags
        .out
        .clone()
        .unwrap_or_else(|| default_out(&arguments.plan));
    fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let mut ended = Vec::new();
    for one in swept {
        let request = Request {
            flags: &flags.with_out(out.join(&one.name)),
            form: Form::Summary,
            command: command(None),
        };
        let failure = match request.run(one.study.clone()) {
            Ok(()) => None,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                print::note(format_args!("{}: {failure}", one.place));
                Some(failure.to_string())
            }
        };
        ended.push((one, failure));
        // After each, so that the reports of a sweep that is broken off are found.
        write_index(&out, &ended)?;
    }
    verbosity.say(&format!("index: {}", out.join(INDEX).display()));
    let failed: Vec<&str> = (ended.iter())
        .filter(|(_, failure)| failure.is_some())
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

const INDEX: &str = "index.md";

/// `runs/NAME`, after the file.
fn default_out(plan: &Path) -> PathBuf {
    Path::new("runs").join(plan.file_stem().unwrap_or_default())
}

/// Writes the list of the studies that have been gone through, each with its report, over the one before.
fn write_index(out: &Path, ended: &[(Swept, Option<String>)]) -> Result<(), Failure> {
    let mut text =
        "# Sweep\n\n| transfer | model | methods | report |\n| --- | --- | --- | --- |\n"
            .to_owned();
    for (one, failure) in ended {
        let plan = &one.study.parts[0].plan;
        let methods: Vec<&str> = plan.methods.iter().map(|method| method.title()).collect();
        let report = match (out.join(&one.name).join("report.md").exists(), failure) {
            (true, None) => format!("[{0}]({0}/report.md)", one.name),
            (true, Some(_)) => format!("[{0}]({0}/report.md), not complete", one.name),
            (false, _) => format!("{}: none, since it failed", one.name),
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
