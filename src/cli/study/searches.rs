//! The searches of a study on their own, without the cells that they are for.

use std::time::Duration;

use super::Session;
use crate::cli::Failure;
use crate::cli::cell_progress::CellProgress;
use crate::cli::estimate::{self, Left};
use crate::cli::workers::message::{Job, Task};
use crate::experiment::{Cost, ExperimentError};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Provenance;
use promptshift_numbers::record::search::Search;
use promptshift_numbers::store::Store;

/// Scores on source validation without tuning, in [0, 1].
#[derive(Debug, Clone, Copy)]
pub struct Untuned {
    /// Of the untuned backbone.
    pub score: f64,
    /// Of answers that do not depend on the question, if that is defined.
    pub floor: Option<f64>,
    /// The number of rows.
    pub rows: usize,
}

impl Session<'_> {
    /// Part and method of every search, in the order of the parts.
    fn all_searches(&self) -> Vec<(usize, Method)> {
        let parts = self.study().parts.iter().enumerate();
        parts
            .flat_map(|(at, part)| {
                part.plan
                    .searched_methods()
                    .into_iter()
                    .map(move |m| (at, m))
            })
            .collect()
    }

    /// The number of trials of the searches that the store does not have completely, and the time that they take.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn trials_left(&self) -> Result<(usize, Duration), Failure> {
        let store = Store::at(self.flags.store.path());
        store.exists()?;
        let (mut count, mut cost, mut speed) = (0, Cost::default(), None);
        for at in 0..self.study().parts.len() {
            self.with_runner(at, &store, |runner, prepared| {
                let plan = &prepared.study.parts[at].plan;
                let left = Left::of(plan, runner, |_| Ok(true))?;
                count += left
                    .searches
                    .iter()
                    .map(|(_, trials, _)| trials)
                    .sum::<usize>();
                cost = cost + left.cost();
                if speed.is_none() && !left.searches.is_empty() {
                    let found = runner.speed(plan, self.workers_per_device());
                    speed = Some(found.map_err(ExperimentError::from)?);
                }
                Ok(())
            })?;
        }
        let workers = self.side_by_side.min(self.all_searches().len());
        let time = speed.map_or(Duration::ZERO, |speed| estimate::time(cost, speed, workers));
        Ok((count, time))
    }

    /// Every search of the study by its part; missing ones are run here, or by workers.
    ///
    /// # Errors
    /// It is interrupted, or something can't be read or written. Finished trials are kept.
    pub fn searched(&self) -> Result<Vec<(usize, Method, Search)>, Failure> {
        let store = Store::open(self.flags.store.path(), None)?;
        self.flags.make_log()?;
        let all = self.all_searches();
        let jobs: Vec<Job> = (all.iter().enumerate())
            .map(|(at, (part, method))| Job {
                name: format!("search-{}", method.name()),
                part: *part,
                task: Task::Search(*method),
                number: at + 1,
                of: all.len(),
            })
            .collect();
        if self.side_by_side > 1 {
            self.workers(&store)
                .run(jobs, 0, &mut |job, ended| match ended.reason() {
                    None => Ok(Vec::new()),
                    Some(reason) => Err(anyhow::anyhow!("{}: {reason}", job.name).into()),
                })?;
        } else {
            for (job, (part, method)) in jobs.iter().zip(&all) {
                self.with_runner(*part, &store, |runner, prepared| {
                    let part = &prepared.study.parts[*part];
                    let place = part.variant.as_ref().map_or("", |variant| &variant.place);
                    let mut progress = CellProgress::of_job(self.verbosity(), job, place)
                        .logging(self.log(job.part));
                    let searched = runner.search(&part.plan, *method, &mut progress.watch());
                    progress.end();
                    Ok(searched.map(|_| ())?)
                })?;
            }
        }
        all.into_iter()
            .map(|(part, method)| {
                self.with_runner(part, &store, |runner, prepared| {
                    let found = runner.found_search(&prepared.study.parts[part].plan, method)?;
                    Ok((part, method, found.expect("it was just run")))
                })
            })
            .collect()
    }

    /// The baselines of the first part on source validation, and the provenance of what is computed now.
    ///
    /// # Errors
    /// The model's output is not finite.
    pub fn untuned(&self) -> Result<(Untuned, Provenance), Failure> {
        let store = Store::at(self.flags.store.path());
        self.with_runner(0, &store, |runner, prepared| {
            let plan = &prepared.study.parts[0].plan;
            let (score, floor) = runner.untuned_validation(plan)?;
            let rows = prepared.datasets.source.validation.examples.len();
            Ok((Untuned { score, floor, rows }, runner.provenance()))
        })
    }
}
