//! Runs a study: finds stored results, computes missing ones here or in workers, assembles the records and
//! writes the report.

mod compute;
mod pieces;
mod searches;

pub use pieces::compute_piece;
pub use searches::Untuned;

use std::collections::BTreeSet;
use std::path::Path;

use super::estimate::{self, Estimate, Left, Machine};
use super::output::{self, Form};
use super::progress::Verbosity;
use super::run::{Computing, Extent, KeepFlag, Run, default_out};
use super::run_log::RunLog;
use super::{Failure, interrupt, print};
use crate::datasets::Datasets;
use crate::experiment::{Cost, ExperimentError, Keep, Keeping, Outcome, Runner, ToDo, step_memory};
use crate::study::{Models, Prepared, ReportKind, Study};
use promptshift_numbers::provenance::Origin;
use promptshift_numbers::record::ablation::{Ablation, Variant};
use promptshift_numbers::record::ensemble;
use promptshift_numbers::record::folder::{RunFolder, unfinished};
use promptshift_numbers::store::Store;
use promptshift_report::number;
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::device::Devices;

/// The provenance of results.
pub fn origin(
    datasets: &Datasets,
    backbone: &Backbone,
    command: &str,
    devices: &Devices,
    side_by_side: usize,
) -> Origin {
    Origin {
        command: command.to_owned(),
        data_sha256: datasets.hashes(),
        model_sha256: backbone.model_sha256.clone(),
        tokenizer_sha256: backbone.tokenizer_sha256.clone(),
        device: devices.to_string(),
        threads: rayon::current_num_threads(),
        side_by_side,
    }
}

/// A study's flags, form of output and command.
pub struct Request<'a> {
    /// The flags that select where and how to run.
    pub flags: &'a Run,
    /// The form of a transfer's report on standard output.
    pub form: Form,
    /// The command, as records state it.
    pub command: String,
}

impl Request<'_> {
    /// Prepares a study, computes its missing results and writes its report; or does what the flags request
    /// instead.
    ///
    /// # Errors
    /// It can't be prepared, is interrupted, or something can't be read or written. Computed results are
    /// kept.
    pub fn run(self, study: Study) -> Result<(), Failure> {
        if let Extent::Named(_) | Extent::Slice(_) = self.flags.cells.extent() {
            // A scheduler may end the process while the model is loaded.
            interrupt::listen()?;
        }
        let models = Models::on(self.flags.computing.on.find()?);
        self.run_with(&models, study)
    }

    /// [`run`](Self::run), with models that other studies share.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_with(self, models: &Models, study: Study) -> Result<(), Failure> {
        let Request {
            flags,
            form,
            command,
        } = self;
        let verbosity = flags.verbosity();
        let extent = flags.cells.extent();
        let prepared = prepared(&flags.computing, models, study)?;
        if let Some(file) = &flags.save_plan {
            prepared.study.save(file)?;
            verbosity.say(&format!("plan: {}", file.display()));
            return Ok(());
        }
        let out = (flags.computing.out.clone()).unwrap_or_else(|| default_out(&prepared.study));
        let report = prepared.study.report;
        let mut session = Session::new(&flags.computing, flags.keep, prepared, command)?;
        if flags.computing.dry_run {
            return Ok(print::text(session.describe()?.text)?);
        }
        match &extent {
            Extent::List => return session.list_cells(),
            Extent::Named(names) => return session.compute_named(names),
            Extent::Slice(slice) => return session.compute_slice(*slice),
            Extent::All | Extent::Report => {}
        }
        interrupt::listen()?;
        // Check first, so that nothing is written if the folder is not a store.
        Store::at(flags.computing.store.path()).exists()?;
        let outcome = session.run(&out, &extent)?;
        match report {
            // There is nothing to report but the errors.
            ReportKind::Transfer if outcome.records.is_empty() => return Ok(outcome.complete()?),
            ReportKind::Transfer => {
                output::write(
                    &outcome.records,
                    &unfinished(&out)?,
                    &out,
                    flags.files(),
                    form,
                )?;
            }
            ReportKind::Ablation(_) => output::write_stored(&out, flags.files())?,
            ReportKind::Ensemble => {
                // With fewer prompts it would be another ensemble than the one requested.
                outcome.complete()?;
                output::write_stored(&out, flags.files())?;
            }
        }
        verbosity.say(&format!("report: {}", out.join("report.md").display()));
        Ok(outcome.complete()?)
    }
}

/// The study with its rows read, its models loaded, and everything resolved and checked.
pub fn prepared(flags: &Computing, models: &Models, study: Study) -> Result<Prepared, Failure> {
    let verbosity = flags.verbosity();
    for part in &study.parts {
        flags.on.check_form(part.plan.setting.frozen_weights)?;
    }
    Ok(Prepared::of(study, models, &mut |note| {
        verbosity.say(note)
    })?)
}

/// A description of a study, what is already computed, and what the rest will cost.
///
/// # Errors
/// It can't be prepared, or the store can't be read.
pub fn estimated(flags: &Run, models: &Models, study: Study) -> Result<Estimate, Failure> {
    let computing = &flags.computing;
    let prepared = prepared(computing, models, study)?;
    Session::new(computing, flags.keep, prepared, String::new())?.describe()
}

/// A prepared study with its flags.
pub struct Session<'a> {
    flags: &'a Computing,
    keep: Option<KeepFlag>,
    prepared: Prepared,
    command: String,
    side_by_side: usize,
    /// Replicas of the model in a training: the most of any recipe.
    replicas: usize,
    largest: usize,
}

impl<'a> Session<'a> {
    /// A session of a prepared study; `keep` says which weights the store keeps, and records state `command`.
    ///
    /// # Errors
    /// A model's configuration can't be read.
    pub fn new(
        flags: &'a Computing,
        keep: Option<KeepFlag>,
        prepared: Prepared,
        command: String,
    ) -> Result<Self, Failure> {
        let mut largest = 0;
        for part in &prepared.study.parts {
            largest = largest.max(part.plan.backbone.config()?.parameters());
        }
        let replicas = prepared.study.replicas();
        Ok(Session {
            side_by_side: flags.side_by_side(largest, replicas),
            replicas,
            largest,
            flags,
            keep,
            prepared,
            command,
        })
    }

    fn seeds(&self) -> Vec<u64> {
        let parts = self.prepared.study.parts.iter();
        parts.flat_map(|part| part.plan.seeds.clone()).collect()
    }

    fn variants(&self) -> Vec<Variant> {
        let parts = self.prepared.study.parts.iter();
        parts.filter_map(|part| part.variant.clone()).collect()
    }

    /// Describes every part's plan, what is already computed, and what the rest will cost.
    ///
    /// # Errors
    /// The store can't be read.
    fn describe(&self) -> Result<Estimate, Failure> {
        let mut all = Estimate::default();
        let store = Store::at(self.flags.store.path());
        let workers = self.side_by_side;
        for at in 0..self.prepared.study.parts.len() {
            let of_part = self.with_runner(at, &store, |runner, prepared| {
                let part = &prepared.study.parts[at];
                let left = Left::of(&part.plan, runner, |_| Ok(false))?;
                let speed = runner
                    .speed(&part.plan, self.workers_per_device())
                    .map_err(ExperimentError::from)?;
                let machine = Machine {
                    workers,
                    speed,
                    memory: self.memory(),
                };
                let mut described = estimate::describe(&part.plan, runner, &left, &machine)
                    .map_err(ExperimentError::from)?;
                if let Some(variant) = &part.variant {
                    let title = format!("{}, {}:\n", variant.place, variant.series);
                    described.text.insert_str(0, &title);
                }
                Ok(described)
            })?;
            all.add(of_part);
        }
        Ok(all)
    }

    /// Computes missing results and writes missing records into the parts' folders below `out`.
    ///
    /// # Errors
    /// It is interrupted, or something can't be read or written. Computed results are kept.
    fn run(&self, out: &Path, extent: &Extent) -> Result<Outcome, Failure> {
        let folders = self.open(out)?;
        let store = Store::open(self.flags.store.path(), None)?;
        self.flags.make_log()?;
        if *extent == Extent::Report {
            return self.one_by_one(&store, &folders, &|part, recorder| {
                self.record_stored(&store, part, recorder)
            });
        }
        self.say_what_is_there(&store, &folders)?;
        self.say_idle_devices();
        match self.side_by_side > 1 {
            true => self.by_workers(&store, &folders),
            false => self.one_by_one(&store, &folders, &|part, recorder| {
                self.compute_part(part, recorder)
            }),
        }
    }

    /// Opens the parts' folders below `out` for this study.
    ///
    /// # Errors
    /// They belong to another study, or another process is writing to them.
    pub fn open(&self, out: &Path) -> Result<Vec<RunFolder>, Failure> {
        match self.prepared.study.report {
            ReportKind::Transfer => {}
            ReportKind::Ablation(kind) => Ablation::new(kind, self.variants()).claim(out)?,
            ReportKind::Ensemble => ensemble::claim(out, &self.seeds())?,
        }
        let mut folders = Vec::new();
        for part in &self.prepared.study.parts {
            folders.push(RunFolder::open(&part.folder(out), &part.plan.cells())?);
        }
        Ok(folders)
    }

    /// What the store keeps and what is reused from it.
    pub fn keeping(&self) -> Keeping {
        self.flags.keeping(self.keep, self.largest)
    }

    /// The study, resolved.
    pub fn study(&self) -> &Study {
        &self.prepared.study
    }

    /// Parameters of the largest model.
    pub fn largest(&self) -> usize {
        self.largest
    }

    fn verbosity(&self) -> Verbosity {
        self.flags.verbosity()
    }

    /// The bytes of memory for trainings. How much a GPU has is not known.
    fn memory(&self) -> Option<u64> {
        match self.flags.on.device.is_cpu() {
            true => step_memory::available(),
            false => None,
        }
    }

    /// The log of a part's runs, if `--log-to` is given.
    fn log(&self, part: usize) -> Option<RunLog> {
        let to = self.flags.log_to.as_deref()?;
        Some(RunLog::of(self.study().parts[part].folder(to)))
    }

    /// The number of workers that share a device.
    fn workers_per_device(&self) -> usize {
        let groups = self.flags.on.device.groups(self.replicas).len();
        self.side_by_side.div_ceil(groups)
    }

    /// Names the devices that nothing is computed on.
    fn say_idle_devices(&self) {
        let devices = &self.flags.on.device;
        let assigned = devices.assigned(self.side_by_side, self.replicas);
        let idle = devices.besides(&assigned);
        if !idle.is_empty() {
            self.verbosity().say(&format!(
                "not used: {}; runs at a time: {}, replicas in each: {}",
                idle.join(", "),
                self.side_by_side,
                self.replicas
            ));
        }
    }

    /// Calls `with` with the runner of a part's cells.
    fn with_runner<T>(
        &self,
        part: usize,
        store: &Store,
        with: impl FnOnce(&Runner, &Prepared) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let backbone = self.prepared.backbone(part)?;
        let datasets = &self.prepared.datasets;
        // Those that this process computes on, if there are no workers.
        let devices = &self.flags.on.device.assigned(1, self.replicas)[0];
        let side_by_side = self.side_by_side;
        let origin = origin(datasets, &backbone, &self.command, devices, side_by_side);
        let keeping = self.keeping();
        let runner = Runner::new(datasets, &backbone, store, origin, keeping);
        with(&runner.on(self.prepared.further_devices()), &self.prepared)
    }

    /// Prints what was found, what remains, how long that will take, and a warning for trainings that need more memory
    /// than there is. Speed is measured once, on the first part with remaining work: parts differ little in operations
    /// per second.
    fn say_what_is_there(&self, store: &Store, folders: &[RunFolder]) -> Result<(), Failure> {
        let workers = self.side_by_side;
        let mut to_do = ToDo::default();
        let mut cost = Cost::default();
        let mut speed = None;
        let mut warned = BTreeSet::new();
        let memory = self.memory();
        for (at, folder) in folders.iter().enumerate() {
            let left = self.with_runner(at, store, |runner, prepared| {
                let plan = &prepared.study.parts[at].plan;
                let left = Left::of(plan, runner, |cell| match runner.known(plan, cell)? {
                    Some(cell) => Ok(runner.found(&cell, folder)?.is_some()),
                    None => Ok(false),
                })?;
                if memory.is_some() && !left.to_do().trainings.is_empty() {
                    let needed = runner.step_memory(plan).map_err(ExperimentError::from)?;
                    let mut warnings = estimate::too_large(&needed, workers, memory);
                    warnings.retain(|warning| warned.insert(warning.clone()));
                    print::warn(&warnings);
                }
                if speed.is_none() && left.cost() != Cost::default() {
                    let found = runner.speed(plan, self.workers_per_device());
                    speed = Some(found.map_err(ExperimentError::from)?);
                }
                Ok(left)
            })?;
            to_do.add(left.to_do());
            cost = cost + left.cost();
        }
        if to_do != ToDo::default() {
            let what = match self.keeping().keep {
                Keep::All => Some("all weights"),
                Keep::Deltas => Some("tuned weights, without those at checkpoints"),
                Keep::None => None,
            };
            let kept = match (to_do.trainings.len(), what) {
                (0, _) => String::new(),
                (_, None) => "; no weights are kept".to_owned(),
                (_, Some(what)) => format!(
                    "; {what} will be kept in {}, about {}",
                    store.path().display(),
                    number::bytes(to_do.trainings.values().sum())
                ),
            };
            let time = speed.map_or(String::new(), |speed| {
                let time = estimate::time(cost, speed, workers);
                format!("; about {}", estimate::in_words(time))
            });
            self.verbosity()
                .say(&format!("{}{time}{kept}", estimate::count(&to_do)));
        }
        Ok(())
    }
}
