//! The flags of every command that runs a study: where to compute, how many runs at a time, what to keep and
//! where, how much to print; and the default folder for its records and report.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgAction, Args, ValueEnum};

use super::help;
use super::output::Files;
use super::progress::Verbosity;
use super::selection::On;
use super::values::at_least_one;
use crate::experiment::{Keep, Keeping};
use crate::pieces::Slice;
use crate::plan::Plan;
use crate::study::{ReportKind, Study};
use promptshift_numbers::record::Setting;
use promptshift_numbers::store::Reuse;
use promptshift_text::domain::AnswerForm;
use promptshift_text::transfer::Transfer;

/// Flags of every command that trains.
#[derive(Debug, Clone, Args)]
pub struct Computing {
    #[command(flatten)]
    pub on: On,
    /// Number of runs computed in parallel, each in a process of its own.
    ///
    /// Each has a share of the threads and its own copy of model and rows, and one of several devices. By
    /// default as many as there are threads, if the model has fewer than 20 million parameters and is computed
    /// on the CPU; otherwise as many as devices (with --replicas N, as every N devices).
    #[arg(long, short, value_name = "N", value_parser = at_least_one, help_heading = help::COMPUTING)]
    jobs: Option<usize>,
    #[command(flatten)]
    pub store: StoreFlag,
    /// Which trainings and answers in the store are reused: same or any.
    ///
    /// same: those computed by the same arithmetic on the same kind of processor and device. any: all of
    /// them; the report names those from elsewhere.
    #[arg(long, value_name = "WHICH", default_value = "same", hide_possible_values = true, help_heading = help::COMPUTING)]
    reuse: ReuseFlag,
    /// The folder for records, figures and the report; by default one under runs/.
    #[arg(long, value_name = "DIR", help_heading = help::OUTPUT)]
    pub out: Option<PathBuf>,
    /// Log training curves and scores for TensorBoard, one subfolder of DIR for each run.
    ///
    /// Event files with loss, learning rate and, if gradients are clipped, their norm at every step, the score on source
    /// validation, and the final score on every domain. A resumed run continues them.
    #[arg(long, value_name = "DIR", help_heading = help::OUTPUT)]
    pub log_to: Option<PathBuf>,
    /// Print the plan, what is already computed and what the rest will cost, and stop.
    #[arg(long, help_heading = help::OUTPUT)]
    pub dry_run: bool,
    /// Print only errors on standard error.
    #[arg(long, short, help_heading = help::OUTPUT)]
    quiet: bool,
}

/// Flags of every command that writes a report of what it trained.
#[derive(Debug, Clone, Args)]
pub struct Run {
    #[command(flatten)]
    pub computing: Computing,
    /// Which weights the store keeps: all, deltas or none.
    ///
    /// deltas: the tuned parameters, which for model tuning are the whole model. all: also those at
    /// checkpoints, so that methods can be compared at the same source score on targets added later. none: a
    /// later evaluation trains again. By default all for a model of fewer than 20 million parameters, else
    /// deltas.
    #[arg(long, value_name = "WHICH", hide_possible_values = true, help_heading = help::COMPUTING)]
    pub keep: Option<KeepFlag>,
    /// Also write report.html: one page that opens from disk.
    #[arg(id = "html", long = "html", action = ArgAction::SetTrue, value_parser = Files::flag(), help_heading = help::OUTPUT)]
    files: Files,
    #[command(flatten)]
    pub cells: Cells,
    /// Write the plan to a new file for `promptshift run`, and stop.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = help::OUTPUT)]
    pub save_plan: Option<PathBuf>,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// A sweep (.toml), or the file that --save-plan wrote. Relative paths in it are relative to the current
    /// folder.
    ///
    /// A sweep has a table [[transfer]] for each transfer, whose keys are the flags of `promptshift
    /// transfer`, and a table [defaults] for shared ones. Each transfer and model has a folder with its own
    /// report.
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    #[command(flatten)]
    pub run: Run,
    /// Print the comparison as JSON instead of the report of a transfer.
    #[arg(long, help_heading = help::OUTPUT)]
    pub json: bool,
}

/// Flags that compute a part of a study in this process.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = help::MACHINES)]
#[group(multiple = false)]
pub struct Cells {
    /// Print the study's cells as JSON, with their dependencies and states, and stop.
    ///
    /// A cell is a search, a training or an evaluation.
    #[arg(long)]
    list_cells: bool,
    /// Compute these cells and store their results; write no report.
    ///
    /// Names are those of --list-cells. Cells that they depend on must be in the store.
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    cell: Vec<String>,
    /// Compute every Nth evaluation from the Kth on, as slice:K/N, and what it depends on; write no report.
    ///
    /// The slices of one study share no training, whatever is already computed. When all are done, the
    /// command without this flag writes the report.
    #[arg(long, value_name = "slice:K/N")]
    partition: Option<Slice>,
    /// Compute nothing: write the report of the stored results, with the reasons for missing ones.
    #[arg(long)]
    report_only: bool,
}

/// The part of a study that a process computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Everything, and the report.
    All,
    /// Nothing: list its cells.
    List,
    /// The cells with these names.
    Named(Vec<String>),
    /// The cells of a slice.
    Slice(Slice),
    /// Only the report.
    Report,
}

impl Cells {
    pub fn extent(&self) -> Extent {
        match (self.list_cells, self.report_only, self.partition) {
            (true, _, _) => Extent::List,
            (_, true, _) => Extent::Report,
            (_, _, Some(slice)) => Extent::Slice(slice),
            _ if !self.cell.is_empty() => Extent::Named(self.cell.clone()),
            _ => Extent::All,
        }
    }
}

/// The flag of the store's folder.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = help::COMPUTING)]
pub struct StoreFlag {
    /// The folder where trainings and answers are stored and looked up.
    #[arg(
        long,
        env = "PROMPTSHIFT_STORE",
        default_value = "runs/store",
        value_name = "DIR"
    )]
    store: PathBuf,
}

/// `--keep`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeepFlag {
    All,
    Deltas,
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReuseFlag {
    Same,
    Any,
}

/// A model of fewer parameters is a miniature: several copies fit into any memory, and its tensors are too
/// small to keep several threads busy.
pub const SMALL: usize = 20_000_000;

impl StoreFlag {
    pub fn path(&self) -> &Path {
        &self.store
    }
}

impl Computing {
    pub fn verbosity(&self) -> Verbosity {
        match self.quiet {
            true => Verbosity::Quiet,
            false => Verbosity::of_terminal(),
        }
    }

    /// The number of runs computed in parallel, for a model with this many parameters and trainings with this
    /// many replicas.
    pub fn side_by_side(&self, parameters: usize, replicas: usize) -> usize {
        let unasked = match parameters < SMALL && self.on.device.is_cpu() {
            true => rayon::current_num_threads(),
            false => self.on.device.groups(replicas).len(),
        };
        self.jobs.unwrap_or(unasked)
    }

    /// Which weights are kept and which results are reused, for a model with this many parameters.
    pub fn keeping(&self, keep: Option<KeepFlag>, parameters: usize) -> Keeping {
        Keeping {
            keep: match keep {
                Some(KeepFlag::All) => Keep::All,
                Some(KeepFlag::Deltas) => Keep::Deltas,
                Some(KeepFlag::None) => Keep::None,
                None if parameters < SMALL => Keep::All,
                None => Keep::Deltas,
            },
            reuse: match self.reuse {
                ReuseFlag::Same => Reuse::Same,
                ReuseFlag::Any => Reuse::Any,
            },
        }
    }

    /// The folder for the curves of a sweep's study of this name, or of the only study.
    fn log_of(&self, study: Option<&str>) -> Option<PathBuf> {
        let to = self.log_to.as_ref()?;
        Some(study.map_or(to.clone(), |name| to.join(name)))
    }

    /// Makes the folder for curves, so that a wrong one is noticed before anything is computed.
    ///
    /// # Errors
    /// It can't be made.
    pub fn make_log(&self) -> anyhow::Result<()> {
        match &self.log_to {
            Some(to) => {
                fs::create_dir_all(to).with_context(|| format!("--log-to {}", to.display()))
            }
            None => Ok(()),
        }
    }

    /// These flags, resolved for a process on another machine with this store; for the study of this name if it is
    /// one of a sweep.
    pub fn elsewhere(&self, store: &Path, keeping: Keeping, study: Option<&str>) -> Vec<OsString> {
        let keep = match keeping.keep {
            Keep::All => "all",
            Keep::Deltas => "deltas",
            Keep::None => "none",
        };
        let reuse = match keeping.reuse {
            Reuse::Same => "same",
            Reuse::Any => "any",
        };
        let mut words: Vec<OsString> = vec!["--store".into(), store.into()];
        let device = self.on.device.to_string();
        let flags = [
            ("--device", device.as_str()),
            ("--keep", keep),
            ("--reuse", reuse),
        ];
        words.extend(
            flags
                .into_iter()
                .flat_map(|(flag, value)| [flag.into(), value.into()]),
        );
        if let Some(jobs) = self.jobs {
            words.extend(["--jobs".into(), jobs.to_string().into()]);
        }
        if let Some(to) = self.log_of(study) {
            words.extend(["--log-to".into(), to.into()]);
        }
        words
    }
}

impl Run {
    /// The same flags for a study of a sweep, with subfolders of its name.
    pub fn of_study(&self, sweep: &Path, name: &str) -> Run {
        Run {
            computing: Computing {
                out: Some(sweep.join(name)),
                log_to: self.computing.log_of(Some(name)),
                ..self.computing.clone()
            },
            ..self.clone()
        }
    }

    pub fn verbosity(&self) -> Verbosity {
        self.computing.verbosity()
    }

    pub fn writes_html(&self) -> bool {
        self.files == Files::MarkdownAndPage
    }

    pub fn files(&self) -> Files {
        self.files
    }
}

/// A folder under `runs/`.
///
/// # Panics
/// The study has no parts.
pub fn default_out(study: &Study) -> PathBuf {
    let plan = &study.parts.first().expect("a study has parts").plan;
    match study.report {
        ReportKind::Transfer => of_transfer(plan),
        ReportKind::Ablation(kind) => of_ablation(kind.name(), &plan.setting.transfer()),
        ReportKind::Ensemble => of_ablation("ensemble", &plan.setting.transfer()),
    }
}

/// `runs/ablate-length-squad-to-drop`.
pub fn of_ablation(kind: &str, transfer: &Transfer) -> PathBuf {
    let name = format!(
        "ablate-{kind}-{}-to-{}",
        transfer.source,
        in_short(&transfer.targets)
    );
    Path::new("runs").join(name)
}

fn in_short(targets: &[String]) -> String {
    match targets.len() {
        1..=3 => targets.join("-"),
        count => format!("{count}-targets"),
    }
}

/// `runs/squad-to-textbookqa-mini-nano-<hash of the recipes>`.
fn of_transfer(plan: &Plan) -> PathBuf {
    let setting = &plan.setting;
    let recipes = serde_json::to_vec(&(
        &plan.recipes,
        setting.limits,
        setting.train_rows,
        setting.validation_rows,
        setting.eval_rows,
    ))
    .expect("recipes are plain data");
    // The default wording is left out, so that folder names from before the flag existed stay the same.
    let worded = match setting.wording.is_default() {
        true => Vec::new(),
        false => serde_json::to_vec(&setting.wording).expect("a wording is plain data"),
    };
    let mixed = (setting.mixing).map_or(Vec::new(), |mixing| mixing.to_string().into_bytes());
    let tuned_on = (setting.tune_on.as_ref()).map_or(Vec::new(), |tune_on| {
        serde_json::to_vec(tune_on).expect("plain data")
    });
    let elsewhere = match plan.elsewhere.is_empty() {
        true => Vec::new(),
        false => serde_json::to_vec(&plan.elsewhere).expect("plain data"),
    };
    let hash =
        &promptshift_text::hash::sha256(&[recipes, worded, mixed, tuned_on, elsewhere].concat())
            [..8];
    let trials = plan
        .trials
        .map_or(String::new(), |trials| format!("-{trials}-trials"));
    let Setting {
        source,
        targets,
        suite,
        model,
        ..
    } = setting;
    let targets = in_short(targets);
    // The slash of a Hub name would create a subfolder.
    let model = model.replace('/', "--");
    let answers = match setting.answers {
        AnswerForm::Padded => "",
        AnswerForm::Raw => "-raw",
        AnswerForm::Continued => "-continued",
    };
    Path::new("runs").join(format!(
        "{source}-to-{targets}-{suite}{answers}-{model}{trials}-{hash}"
    ))
}
