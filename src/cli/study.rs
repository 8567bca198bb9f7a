//! Runs a study: finds what is there, computes what is missing, here or by workers, puts the records together and
//! reports on them.

mod compute;
mod pieces;

pub use pieces::compute_piece;

use std::path::Path;

use super::estimate::{self, Estimate, Left};
use super::output::{self, Form};
use super::progress::Verbosity;
use super::run::{Extent, Run, default_out};
use super::{Failure, interrupt, print};
use crate::datasets::Datasets;
use crate::experiment::{Cost, ExperimentError, Keep, Outcome, Runner, ToDo};
use crate::study::{Models, Prepared, ReportKind, Study};
use promptshift_numbers::provenance::Origin;
use promptshift_numbers::record::ablation::{Ablation, Variant};
use promptshift_numbers::record::ensemble;
use promptshift_numbers::record::folder::{RunFolder, unfinished};
use promptshift_numbers::store::Store;
use promptshift_report::number;
use promptshift_tensors::backbone::Backbone;

/// What results say of where they come from.
pub fn origin(
    datasets: &Datasets,
    backbone: &Backbone,
    command: &str,
    device: &str,
    side_by_side: usize,
) -> Origin {
    Origin {
        command: command.to_owned(),
        data_sha256: datasets.hashes(),
        model_sha256: backbone.model_sha256.clone(),
        tokenizer_sha256: backbone.tokenizer_sha256.clone(),
        device: device.to_owned(),
        threads: rayon::current_num_threads(),
        side_by_side,
    }
}

/// How a study is run and reported on.
pub struct Request<'a> {
    /// The flags that say where and how.
    pub flags: &'a Run,
    /// What standard output carries of a transfer's report.
    pub form: Form,
    /// The command that records name.
    pub command: String,
}

impl Request<'_> {
    /// Prepares a study, computes what is missing of it and writes its report; or does what the flags ask for instead.
    ///
    /// # Errors
    /// It can't be prepared, is interrupted, or something can't be read or written; what was computed stays.
    pub fn run(self, study: Study) -> Result<(), Failure> {
        if let Extent::Named(_) | Extent::Slice(_) = self.flags.cells.extent() {
            // A scheduler may end it while the model is loaded.
            interrupt::listen()?;
        }
        let models = Models::on(self.flags.on.find()?);
        self.run_with(&models, study)
    }

    /// [`run`](Self::run), with models that others use as well.
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
        let prepared = prepared(flags, models, study)?;
        if let Some(file) = &flags.save_plan {
            prepared.study.save(file)?;
            verbosity.say(&format!("plan: {}", file.display()));
            return Ok(());
        }
        let out = (flags.out.clone()).unwrap_or_else(|| default_out(&prepared.study));
        let report = prepared.study.report;
        let mut session = Session::new(flags, prepared, command)?;
        if flags.dry_run {
            return Ok(print::text(session.describe()?.text)?);
        }
        match extent {
            Extent::List => return session.list_cells(),
            Extent::Named(names) => return session.compute_named(&names),
            Extent::Slice(slice) => return session.compute_slice(slice),
            Extent::All | Extent::Report => {}
        }
        interrupt::listen()?;
        // Before anything is made: a folder that is no store is refused.
        Store::at(flags.store.path()).exists()?;
        let outcome = session.run(&out)?;
        match report {
            // There is nothing to report on but why.
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
                // Fewer prompts would be another ensemble than the one that was asked for.
                outcome.complete()?;
                output::write_stored(&out, flags.files())?;
            }
        }
        verbosity.say(&format!("report: {}", out.join("report.md").display()));
        Ok(outcome.complete()?)
    }
}

/// The study with its rows read, its models loaded, and everything resolved and checked.
pub fn prepared(flags: &Run, models: &Models, study: Study) -> Result<Prepared, Failure> {
    let verbosity = flags.verbosity();
    Ok(Prepared::of(study, models, &mut |note| {
        verbosity.say(note)
    })?)
}

/// A study in words, what of it is there, and what the rest will cost.
///
/// # Errors
/// It can't be prepared, or the store not be read.
pub fn estimated(flags: &Run, models: &Models, study: Study) -> Result<Estimate, Failure> {
    Session::new(flags, prepared(flags, models, study)?, String::new())?.describe()
}

/// A study that is run, with the flags that say how.
pub struct Session<'a> {
    flags: &'a Run,
    prepared: Prepared,
    command: String,
    side_by_side: usize,
    largest: usize,
}

impl<'a> Session<'a> {
    /// Of a prepared study; records name `command`.
    ///
    /// # Errors
    /// A model's configuration can't be read.
    pub fn new(flags: &'a Run, prepared: Prepared, command: String) -> Result<Self, Failure> {
        let mut largest = 0;
        for part in &prepared.study.parts {
            largest = largest.max(part.plan.backbone.config()?.parameters());
        }
        Ok(Session {
            side_by_side: flags.side_by_side(largest),
            largest,
            flags,
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

    /// Every part's plan, what of it is there, and what the rest will cost.
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
                    .speed(&part.plan, workers)
                    .map_err(ExperimentError::from)?;
                let mut described = estimate::describe(&part.plan, runner, &left, speed, workers);
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

    /// Computes what is missing and writes the records that are, into the folders of the parts below `out`.
    ///
    /// # Errors
    /// It is interrupted, or something can't be read or written; what was computed stays.
    fn run(&self, out: &Path) -> Result<Outcome, Failure> {
        let folders = self.open(out)?;
        let store = Store::open(self.flags.store.path(), None)?;
        if self.flags.cells.extent() == Extent::Report {
            return self.one_by_one(&store, &folders, &|part, recorder| {
                self.record_stored(&store, part, recorder)
            });
        }
        self.say_what_is_there(&store, &folders)?;
        match self.side_by_side > 1 {
            true => self.by_workers(&store, &folders),
            false => self.one_by_one(&store, &folders, &|part, recorder| {
                self.compute_part(part, recorder)
            }),
        }
    }

    /// Opens the folders of the parts below `out`, for this study and no other.
    ///
    /// # Errors
    /// They are of another study, or another process writes them.
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

    /// Calls `with` with what runs the cells of a part.
    fn with_runner<T>(
        &self,
        part: usize,
        store: &Store,
        with: impl FnOnce(&Runner, &Prepared) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let backbone = self.prepared.backbone(part)?;
        let datasets = &self.prepared.datasets;
        let device = &self.flags.on.device;
        let origin = origin(
            datasets,
            &backbone,
            &self.command,
            device,
            self.side_by_side,
        );
        let keeping = self.flags.keeping(self.largest);
        with(
            &Runner::new(datasets, &backbone, store, origin, keeping),
            &self.prepared,
        )
    }

    /// Says what is there, what is left, and how long that will take. Speed is measured once, on the first part that has
    /// something left: parts differ little in operations a second.
    fn say_what_is_there(&self, store: &Store, folders: &[RunFolder]) -> Result<(), Failure> {
        let workers = self.side_by_side;
        let mut to_do = ToDo::default();
        let mut cost = Cost::default();
        let mut speed = None;
        for (at, folder) in folders.iter().enumerate() {
            let left = self.with_runner(at, store, |runner, prepared| {
                let plan = &prepared.study.parts[at].plan;
                let left = Left::of(plan, runner, |cell| match runner.known(plan, cell)? {
                    Some(cell) => Ok(runner.found(&cell, folder)?.is_some()),
                    None => Ok(false),
                })?;
                if speed.is_none() && left.cost() != Cost::default() {
                    speed = Some(runner.speed(plan, workers).map_err(ExperimentError::from)?);
                }
                Ok(left)
            })?;
            to_do.add(left.to_do());
            cost = cost + left.cost();
        }
        if to_do != ToDo::default() {
            let what = match self.flags.keeping(self.largest).keep {
                Keep::All => Some("all weights"),
                Keep::Deltas => Some("what is tuned, but no weights at checkpoints"),
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
