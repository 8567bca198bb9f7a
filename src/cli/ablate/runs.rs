//! The cells of an ablation: one by one, or side by side.

use std::path::Path;

use super::{Planned, Shared};
use crate::cli::Failure;
use crate::cli::command::command;
use crate::cli::crew::message::Job;
use crate::cli::crew::{self, Crew};
use crate::cli::model;
use crate::cli::narrator::Narrator;
use crate::experiment::{Event, Lab, Outcome};
use crate::material::Material;
use crate::plan::Plan;
use promptshift_numbers::provenance::Origin;
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::store::{Store, folder_name};
use promptshift_tensors::backbone::{Backbone, BackboneChoice};
use promptshift_tensors::device::Device;

/// Where the settings' cells are run, all on the same rows.
pub(super) struct Runs<'a> {
    shared: &'a Shared,
    material: &'a Material,
    out: &'a Path,
    device: Device,
    loaded: Option<(BackboneChoice, Backbone)>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        material: &'a Material,
        out: &'a Path,
    ) -> Result<Self, Failure> {
        Ok(Runs {
            shared,
            material,
            out,
            device: shared.run.on.find()?,
            loaded: None,
        })
    }

    /// The backbone of a plan, made ready for its wording; the last one that was loaded is kept, since
    /// settings of one model follow each other.
    pub(super) fn backbone(&mut self, plan: &Plan) -> Result<Backbone, Failure> {
        let choice = &plan.backbone;
        let loaded = match &self.loaded {
            Some((known, backbone)) if known == choice => backbone.clone(),
            _ => {
                let backbone = model::load(choice, &self.device, self.shared.run.voice())?;
                self.loaded = Some((choice.clone(), backbone.clone()));
                backbone
            }
        };
        let asked = loaded.asked(&plan.wording, &self.material.source.card);
        asked.map_err(|error| Failure::Usage(error.into()))
    }

    /// Runs every cell that has no record yet.
    pub(super) fn run(&mut self, planned: &[Planned]) -> Result<Outcome, Failure> {
        let largest = (planned.iter())
            .map(|one| Ok(one.plan.backbone.config()?.parameters()))
            .collect::<Result<Vec<usize>, Failure>>()?;
        let largest = largest.into_iter().max().unwrap_or(0);
        match self.shared.run.crew(largest, None) {
            Some(crew) => self.side_by_side(planned, &crew),
            None => self.one_by_one(planned),
        }
    }

    fn one_by_one(&mut self, planned: &[Planned]) -> Result<Outcome, Failure> {
        let voice = self.shared.run.voice();
        let mut all = Outcome::default();
        for (at, one) in planned.iter().enumerate() {
            let (place, series) = (&one.setting.place, &one.setting.series);
            let count = planned.len();
            voice.say(&format!("setting {} of {count}: {place}, {series}", at + 1));
            let backbone = self.backbone(&one.plan)?;
            let store = Store::open(&self.out.join(&one.setting.folder), first(one))?;
            let lab = Lab::new(self.material, &backbone, &store, self.origin(&backbone));
            let mut narrator = Narrator::new(voice, one.cells.len());
            let outcome = lab.run_cells(unsearched(&one.cells), &mut narrator.watch())?;
            all.records.extend(outcome.records);
            all.failed.extend(outcome.failed);
        }
        Ok(all)
    }

    /// Runs the cells of all settings by a crew; jobs are named `setting/cell`.
    fn side_by_side(&mut self, planned: &[Planned], crew: &Crew) -> Result<Outcome, Failure> {
        let mut stores = Vec::new();
        for one in planned {
            stores.push(Store::open(
                &self.out.join(&one.setting.folder),
                first(one),
            )?);
        }
        let mut narrator = Narrator::new(crew.voice, 0);
        let of = planned.iter().map(|one| one.cells.len()).sum();
        let mut number = 0;
        let mut jobs = Vec::new();
        for (one, store) in planned.iter().zip(&stores) {
            let backbone = self.backbone(&one.plan)?;
            let lab = Lab::new(self.material, &backbone, store, self.origin(&backbone));
            for cell in &one.cells {
                number += 1;
                let name = format!("{}/{}", one.setting.folder, folder_name(cell));
                match lab.found(cell)? {
                    Some(found) => narrator.tell(Event::Found(&found)),
                    None => jobs.push(Job { name, number, of }),
                }
            }
        }
        let failed = crew.work(jobs)?;
        let mut all = Outcome::default();
        for (one, store) in planned.iter().zip(&stores) {
            let backbone = self.backbone(&one.plan)?;
            let lab = Lab::new(self.material, &backbone, store, self.origin(&backbone));
            let of_setting = (failed.iter()).filter_map(|(name, reason)| {
                let (folder, cell) = name.split_once('/')?;
                (folder == one.setting.folder).then(|| (cell.to_owned(), reason.clone()))
            });
            let outcome = lab.gather(&unsearched(&one.cells), &of_setting.collect())?;
            all.records.extend(outcome.records);
            all.failed.extend(outcome.failed);
        }
        Ok(all)
    }

    /// Does the runs that another process gives out.
    pub(super) fn serve(&mut self, planned: &[Planned]) -> Result<(), Failure> {
        let voice = self.shared.run.voice();
        crew::serve(|job| {
            let named = |one: &&Planned| job.name.starts_with(&format!("{}/", one.setting.folder));
            let Some(one) = planned.iter().find(named) else {
                return Err(anyhow::anyhow!("{}: no setting of this ablation", job.name).into());
            };
            let backbone = self.backbone(&one.plan)?;
            let store = Store::join(&self.out.join(&one.setting.folder), first(one))?;
            let lab = Lab::new(self.material, &backbone, &store, self.origin(&backbone));
            let mut cells = one.cells.clone();
            cells.retain(|cell| job.name.ends_with(&format!("/{}", folder_name(cell))));
            let mut narrator = Narrator::of_job(voice, job, &one.setting.place);
            let outcome = lab.run_cells(unsearched(&cells), &mut narrator.watch())?;
            Ok(outcome.failed.into_iter().next())
        })
    }

    /// What records say of where they come from.
    pub(super) fn origin(&self, backbone: &Backbone) -> Origin {
        Origin {
            command: command(None),
            data_sha256: self.material.hashes(),
            model_sha256: backbone.model_sha256.clone(),
            tokenizer_sha256: backbone.tokenizer_sha256.clone(),
            device: self.shared.run.on.device.clone(),
            threads: rayon::current_num_threads(),
            side_by_side: self.shared.run.worker().unwrap_or(1),
        }
    }
}

fn first(planned: &Planned) -> &Cell {
    planned.cells.first().expect("a plan has cells")
}

/// An ablation searches no recipes.
fn unsearched(cells: &[Cell]) -> Vec<crate::experiment::Searched> {
    cells.iter().map(|cell| (cell.clone(), None)).collect()
}
