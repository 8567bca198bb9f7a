//! The plan: what will be done, resolved and checked, before anything is loaded or trained.

use std::collections::BTreeMap;

use promptshift_numbers::recipe::{Limits, Method, Recipe, TuneOn};
use promptshift_numbers::record::Cell;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::AnswerForm;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::suite::Suite;
use promptshift_text::domain::wording::Wording;
use promptshift_text::transfer::Transfer;

/// A transfer × methods × seeds, on one model, with one recipe a method.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Source and targets, every name resolved.
    pub transfer: Transfer,
    /// Where rows are read from.
    pub suite: Suite,
    /// The model.
    pub backbone: BackboneChoice,
    /// What is tuned, in the order of the report; the untuned backbone is always first.
    pub methods: Vec<Method>,
    /// Seeds, for every method that trains.
    pub seeds: Vec<u64>,
    /// Trials of the search for each method's recipe; `None` takes recipes as they stand.
    pub trials: Option<usize>,
    /// The recipe of each method that trains, where a search begins.
    pub recipes: BTreeMap<Method, Recipe>,
    /// How tuning goes on with a few examples of each target; `None` leaves it at zero-shot.
    pub tune_on: Option<TuneOn>,
    /// Sequence lengths, the same for every method.
    pub limits: Limits,
    /// How right answers are written when predictions are compared with them.
    pub answers: AnswerForm,
    /// How examples are worded and answers read.
    pub wording: Wording,
    /// How the domains of the source are mixed, where there are several.
    pub mixing: Mixing,
    /// At most so many training rows of each source, drawn as [`draw`](promptshift_text::domain::draw) says.
    pub train_rows: Option<usize>,
    /// At most so many rows of the source's validation split, where that is not as the evaluated ones.
    pub validation_rows: Option<usize>,
    /// At most so many rows of each evaluated split, drawn likewise.
    pub eval_rows: Option<usize>,
}

impl Plan {
    /// Every cell, untuned first, then seed by seed: an interrupted run leaves whole comparisons.
    pub fn cells(&self) -> Vec<Cell> {
        let untuned = std::iter::once(self.cell(Method::Untuned, 0));
        untuned.chain(self.tuned_cells()).collect()
    }

    /// Every cell that trains, seed by seed.
    pub fn tuned_cells(&self) -> Vec<Cell> {
        let of_seed = |&seed| {
            let tuned = self.methods.iter().filter(|&&m| m != Method::Untuned);
            tuned.map(move |&method| self.cell(method, seed))
        };
        self.seeds.iter().flat_map(of_seed).collect()
    }

    /// The methods whose recipes are searched before their cells are run.
    pub fn searched_methods(&self) -> Vec<Method> {
        let searched = |method: &Method| self.cell(*method, 0).trials.is_some();
        self.methods.iter().copied().filter(searched).collect()
    }

    /// The cell of a method and a seed.
    pub fn cell(&self, method: Method, seed: u64) -> Cell {
        Cell {
            source: self.transfer.source.clone(),
            targets: self.transfer.targets.clone(),
            method,
            seed,
            model: self.backbone.name(),
            suite: self.suite.name(),
            answers: self.answers,
            wording: self.wording.clone(),
            mixing: (self.transfer.is_of_mixture()).then_some(self.mixing),
            tune_on: self.tune_on.clone(),
            train_rows: self.train_rows,
            validation_rows: self.validation_rows,
            eval_rows: self.eval_rows,
            limits: self.limits,
            trials: self
                .trials
                .filter(|_| self.recipes.get(&method).is_some_and(Recipe::trains)),
            recipe: self.recipes.get(&method).cloned(),
        }
    }
}
