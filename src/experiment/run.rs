//! A cell with what it is run on.

use super::words::words;
use crate::material::{Material, Source};
use promptshift_numbers::recipe::{Limits, Recipe};
use promptshift_numbers::record::Cell;
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::eval::ask::Asker;
use promptshift_tensors::train::TrainingSet;
use promptshift_tensors::tuning::{self, Tuned, TuningError};

/// A cell, the rows and the backbone that it is run on.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub cell: &'a Cell,
    pub material: &'a Material,
    pub backbone: &'a Backbone,
}

impl<'a> Run<'a> {
    pub fn source(&self) -> &'a Source {
        &self.material.source
    }

    /// The backbone with the cell's method on it, as its seed draws it.
    pub fn applied(&self, recipe: &Recipe) -> Result<Tuned, TuningError> {
        let (cell, backbone) = (self.cell, self.backbone);
        let words = words(recipe, &cell.wording, self.source(), backbone, cell.seed)?;
        tuning::apply(backbone, recipe, &words, cell.seed)
    }

    /// The source's training rows, mixed as the cell says where there are several sources.
    pub fn training_set(&self) -> TrainingSet {
        TrainingSet::of_sources(
            &self.source().train.members(),
            self.cell.mixing.unwrap_or_default(),
            &self.backbone.tokenizer,
            &self.cell.limits,
        )
    }

    /// What has to be said of the model.
    pub fn model_notes(&self) -> Vec<String> {
        let whole = Limits::default_for(self.source().card.task);
        let cut = tuning::cut_at(&whole, &self.cell.limits, self.backbone);
        self.backbone.notes.iter().cloned().chain(cut).collect()
    }

    /// How the cell asks its model.
    pub fn asker(&self) -> Asker<'a> {
        Asker {
            source: &self.source().card,
            wording: &self.cell.wording,
            tokenizer: &self.backbone.tokenizer,
            limits: &self.cell.limits,
        }
    }
}
