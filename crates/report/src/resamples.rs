//! The resampled scores of a study. Every statistic with an interval is computed from them, so that all use the same
//! resamples.

use std::collections::BTreeSet;

use crate::baselines::{Baseline, constant_run, constants};
use crate::study::{Study, samples};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Cell, Checkpoint};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws, lend};
use promptshift_numbers::stats::panel::{Panel, Sample};

/// The main metric of every method on every domain, and of model tuning at its checkpoints, resampled.
pub struct Resamples<'a> {
    /// The records.
    pub study: &'a Study<'a>,
    /// The main metric.
    pub metric: Metric,
    /// The samples of each domain, source first: methods in the order of [`Method::ALL`], then model tuning at each
    /// of [`steps`](Self::steps), then the constant answers.
    pub panels: Vec<Panel>,
    /// The steps at which every run of model tuning has predictions, ascending.
    pub steps: Vec<usize>,
    /// `[domain][index in the panel]`.
    draws: Vec<Vec<Option<Draws>>>,
    /// The classes of each domain's constant answers.
    constants: Vec<Vec<usize>>,
}

/// What is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scored {
    /// A method at the kept step of each run.
    Kept(Method),
    /// Model tuning stopped at a step.
    Stopped(usize),
}

impl From<Method> for Scored {
    fn from(method: Method) -> Scored {
        Scored::Kept(method)
    }
}

impl<'a> Resamples<'a> {
    /// Resamples a study's scores.
    pub fn of(study: &'a Study<'a>) -> Self {
        Resamples::at(study, common_steps(study))
    }

    /// Resamples a study's scores at the kept steps only: the same draws in less time.
    pub fn of_kept(study: &'a Study<'a>) -> Self {
        Resamples::at(study, Vec::new())
    }

    fn at(study: &'a Study<'a>, steps: Vec<usize>) -> Self {
        let metric = Metric::main(study.evaluations()[0].task);
        let rows = &study.records()[0].predictions;
        let constants: Vec<Vec<usize>> = (rows.iter())
            .map(|own| constants(metric, &rows[0], own))
            .collect();
        let panels: Vec<Panel> = (constants.iter().enumerate())
            .map(|(domain, constants)| panel(study, metric, &steps, domain, constants))
            .collect();
        let mut draws = Bootstrap::default().scores(&panels);
        // A method trained here with one seed borrows the spread of the other methods' runs; the untuned model and
        // constant answers do not vary with seeds.
        let fixed = [Method::Untuned, Method::Elsewhere].map(|method| method as usize);
        let constant = Method::ALL.len() + steps.len();
        let is_trained = |place: usize| place < constant && !fixed.contains(&place);
        let is_kept = |place: usize| place < Method::ALL.len();
        lend(
            &mut draws,
            |place| is_trained(place) && is_kept(place),
            is_trained,
        );
        for all in &mut draws {
            let (tuned, given) = all.split_at_mut(constant);
            let untuned = &mut tuned[Method::Untuned as usize];
            for one in std::iter::once(untuned).chain(given).flatten() {
                *one = one.of_these_runs();
            }
        }
        Resamples {
            constants,
            draws,
            study,
            metric,
            panels,
            steps,
        }
    }

    /// The methods that have records, in the order of [`Method::ALL`].
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        let has_records = |method: &Method| !self.study.of(*method).is_empty();
        Method::ALL.into_iter().filter(has_records)
    }

    /// The indices of the targets among the domains.
    pub fn targets(&self) -> std::ops::Range<usize> {
        1..self.panels.len()
    }

    /// The score on a domain; `None` without records.
    pub fn score(&self, domain: usize, of: impl Into<Scored>) -> Option<&Draws> {
        self.draws[domain][self.place(of.into())?].as_ref()
    }

    /// The constant answers on a domain; none without classes.
    pub fn constants(&self, domain: usize) -> impl Iterator<Item = (Baseline, &Draws)> {
        let first = Method::ALL.len() + self.steps.len();
        let draws = self.draws[domain][first..].iter().flatten();
        let classes = self.constants[domain].iter();
        classes.map(|class| Baseline::Constant(*class)).zip(draws)
    }

    /// The scores of the runs on a domain, by ascending seed.
    pub fn by_seed(&self, domain: usize, of: impl Into<Scored>) -> Option<Vec<f64>> {
        let runs = self.panels[domain].methods()[self.place(of.into())?].as_ref()?;
        Some(runs.scores())
    }

    /// Source score minus score on a domain.
    pub fn gap(&self, domain: usize, of: impl Into<Scored>) -> Option<Draws> {
        let of = of.into();
        Some(self.score(0, of)?.minus(self.score(domain, of)?))
    }

    /// The mean of the targets' scores.
    pub fn mean_target(&self, of: impl Into<Scored>) -> Option<Draws> {
        let of = of.into();
        let all = self.targets().map(|domain| self.score(domain, of));
        let all: Vec<&Draws> = all.flatten().collect();
        Draws::mean(&all)
    }

    /// Source score minus the mean of the targets' scores.
    pub fn mean_gap(&self, of: impl Into<Scored>) -> Option<Draws> {
        let of = of.into();
        Some(self.score(0, of)?.minus(&self.mean_target(of)?))
    }

    /// The seeds of model tuning whose runs have no predictions at a checkpoint that another run has, or at any.
    pub fn without_checkpoints(&self) -> Vec<u64> {
        let runs = self.study.of(Method::Model);
        let all: BTreeSet<usize> = runs.iter().flat_map(|stored| steps_of(stored)).collect();
        let lacks = |stored: &&StoredRecord| all.is_empty() || steps_of(stored) != all;
        let lacking = runs.into_iter().filter(lacks);
        lacking.map(|stored| stored.record.cell.seed).collect()
    }

    fn place(&self, of: Scored) -> Option<usize> {
        match of {
            Scored::Kept(method) => Some(method as usize),
            Scored::Stopped(step) => {
                let place = self.steps.iter().position(|known| *known == step)?;
                Some(Method::ALL.len() + place)
            }
        }
    }
}

/// The checkpoints of a run that have predictions and a validation score, with their predictions on each domain.
pub fn checkpoints(
    stored: &StoredRecord,
) -> impl Iterator<
    Item = (
        &Checkpoint,
        &Vec<Vec<promptshift_numbers::record::Prediction>>,
    ),
> {
    let training = stored.record.training.iter();
    let checkpoints = training.flat_map(|training| &training.checkpoints);
    (checkpoints.zip(&stored.checkpoints))
        .filter(|(checkpoint, kept)| !kept.is_empty() && checkpoint.validation_score.is_some())
}

fn steps_of(stored: &StoredRecord) -> BTreeSet<usize> {
    checkpoints(stored)
        .map(|(checkpoint, _)| checkpoint.step)
        .collect()
}

fn common_steps(study: &Study) -> Vec<usize> {
    let all = study.of(Method::Model).into_iter().map(steps_of);
    let common = all.reduce(|one, other| &one & &other);
    common.into_iter().flatten().collect()
}

/// The number by which a run is paired with runs of other methods. Runs tuned elsewhere are not paired with any
/// others.
pub(crate) fn run(cell: &Cell) -> u64 {
    match cell.method {
        Method::Elsewhere => u64::MAX - u64::from(u32::MAX) + cell.seed,
        _ => cell.seed,
    }
}

fn panel(
    study: &Study,
    metric: Metric,
    steps: &[usize],
    domain: usize,
    constants: &[usize],
) -> Panel {
    let kept = Method::ALL.map(|method| -> Vec<Sample> {
        let of_run = |stored: &StoredRecord| {
            samples(
                metric,
                run(&stored.record.cell),
                &stored.predictions[domain],
            )
        };
        study.of(method).into_iter().flat_map(of_run).collect()
    });
    let stopped = steps.iter().map(|step| -> Vec<Sample> {
        let of_run = |stored: &StoredRecord| {
            let mut found = checkpoints(stored);
            let (_, predictions) =
                (found.find(|(one, _)| one.step == *step)).expect("every run has this step");
            samples(metric, run(&stored.record.cell), &predictions[domain])
        };
        study
            .of(Method::Model)
            .into_iter()
            .flat_map(of_run)
            .collect()
    });
    let rows = &study.records()[0].predictions[domain];
    let given = (constants.iter()).map(|class| constant_run(metric, *class, rows));
    let all = kept.into_iter().chain(stopped).chain(given);
    Panel::new(&all.collect::<Vec<_>>())
}
