//! The plan: what will be done, resolved and checked before anything is loaded or trained.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use promptshift_numbers::recipe::{Method, Recipe};
use promptshift_numbers::record::folder::folder_name;
use promptshift_numbers::record::{Cell, Setting, TunedElsewhere};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::suite::Suite;

/// The seed of trials. It differs from every seed of a count, so that no reported run was selected for being lucky.
pub const SEARCH_SEED: u64 = 1_000_000;

/// A transfer × methods × seeds on one model, with one recipe for each method. A plan is plain data: it can
/// be saved and read again without loss, and every process that reads it computes the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What all its cells share, with names resolved.
    pub setting: Setting,
    /// The suite that rows are read from.
    pub suite: Suite,
    /// Cards of the user's own domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<PathBuf>,
    /// The model.
    pub backbone: BackboneChoice,
    /// The methods, in the order of the report; includes the untuned backbone if it is reported.
    pub methods: Vec<Method>,
    /// The seeds of every method that trains.
    pub seeds: Vec<u64>,
    /// Trials of the search for each method's recipe; `None` uses the recipes as they are.
    pub trials: Option<usize>,
    /// The recipe of each method that trains; where its search is planned, the recipe to start from.
    pub recipes: BTreeMap<Method, Recipe>,
    /// The runs of results tuned elsewhere, which are evaluated as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<TunedElsewhere>,
}

impl Plan {
    /// Every cell: untuned first if included, then results tuned elsewhere, then seed by seed, so that an
    /// interrupted run leaves complete comparisons.
    pub fn cells(&self) -> Vec<Cell> {
        let untuned = self.methods.contains(&Method::Untuned);
        let untuned = untuned.then(|| self.cell(Method::Untuned, 0));
        let of_seed = |&seed| {
            let tuned = self.methods.iter().filter(|&&m| m != Method::Untuned);
            tuned.map(move |&method| self.cell(method, seed))
        };
        let tuned = self.seeds.iter().flat_map(of_seed);
        let elsewhere = (self.elsewhere.iter().zip(0..)).map(|(given, run)| Cell {
            elsewhere: Some(given.clone()),
            ..self.cell(Method::Elsewhere, run)
        });
        (untuned.into_iter().chain(elsewhere))
            .chain(tuned)
            .collect()
    }

    /// The first field that is inconsistent or can't be run, with its value.
    pub fn contradiction(&self) -> Option<(&'static str, String)> {
        let is_named = |name: &str, label: &str| (name != label).then(|| label.to_owned());
        if let Some(found) = is_named(&self.suite.name(), &self.setting.suite) {
            return Some(("parts.plan.setting.suite", found));
        }
        if let Some(found) = is_named(&self.backbone.name(), &self.setting.model) {
            return Some(("parts.plan.setting.model", found));
        }
        let trained = |method: &Method| !matches!(method, Method::Untuned | Method::Elsewhere);
        let without = (self.methods.iter()).find(|m| trained(m) && !self.recipes.contains_key(m));
        let unasked = self.recipes.keys().find(|m| !self.methods.contains(m));
        if let Some(method) = without.or(unasked) {
            return Some(("parts.plan.recipes", method.name().to_owned()));
        }
        let cells = self.cells();
        let mut names = BTreeSet::new();
        match cells
            .iter()
            .map(folder_name)
            .find(|name| !names.insert(name.clone()))
        {
            Some(twice) => Some(("parts.plan, a duplicate run", twice)),
            None => cells
                .is_empty()
                .then(|| ("parts.plan.methods", "none".to_owned())),
        }
    }

    /// The methods whose recipes are searched before their cells are run.
    pub fn searched_methods(&self) -> Vec<Method> {
        let searched = |method: &Method| self.cell(*method, 0).trials.is_some();
        self.methods.iter().copied().filter(searched).collect()
    }

    /// The cell for a method and a seed.
    pub fn cell(&self, method: Method, seed: u64) -> Cell {
        let recipe = self.recipes.get(&method);
        Cell {
            setting: self.setting.clone(),
            method,
            seed,
            trials: self.trials.filter(|_| recipe.is_some_and(Recipe::trains)),
            recipe: recipe.cloned(),
            elsewhere: None,
        }
    }
}
