//! The shared parts of ablations: flags, and the plan of one setting.

use std::collections::BTreeMap;

use clap::Args;

use crate::cli::command::command;
use crate::cli::output::Form;
use crate::cli::run::{Run, SMALL};
use crate::cli::selection::Data;
use crate::cli::study::Request;
use crate::cli::transfer::answer_form;
use crate::cli::values::{Seeds, at_least_one};
use crate::cli::{Failure, help};
use crate::plan::Plan;
use crate::study::{Part, ReportKind, Study};
use promptshift_numbers::recipe::{Defaults, Limits, Method, Recipe};
use promptshift_numbers::record::Setting;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::transfer::Transfer;

/// Flags of every ablation.
#[derive(Debug, Args)]
pub(super) struct Shared {
    /// SOURCE->TARGET[,TARGET...], in quotes; each ablation has its own default.
    #[arg(value_name = "TRANSFER")]
    pub(super) transfer: Option<String>,
    #[command(flatten)]
    pub(super) data: Data,
    /// How many seeds (3 means 0,1,2), or a list of them (7,11).
    #[arg(long, value_name = "N|LIST", help_heading = help::TRAINING)]
    pub(super) seeds: Option<Seeds>,
    /// Maximum number of training steps.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::TRAINING)]
    pub(super) steps: Option<usize>,
    /// Maximum number of training rows, drawn; the same ones in every setting.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    pub(super) train_rows: Option<usize>,
    /// Maximum number of source validation rows, drawn likewise [default: 500].
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    pub(super) validation_rows: Option<usize>,
    /// Maximum number of rows of each evaluated split, drawn likewise.
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = help::DATA)]
    pub(super) eval_rows: Option<usize>,
    #[command(flatten)]
    pub(super) run: Run,
}

/// An ablation's defaults. Recipes, steps included, are those of `transfer`, so that trainings are shared.
pub(super) struct Usual {
    pub(super) transfer: &'static str,
    pub(super) seeds: u64,
    /// The default for the miniature.
    pub(super) eval_rows: usize,
}

impl Shared {
    /// The plan for some methods on a backbone: default recipes with the flags applied; `usual` applies where
    /// no flag is given.
    pub(super) fn plan(
        &self,
        backbone: &BackboneChoice,
        methods: &[Method],
        catalogue: &Catalogue,
        usual: &Usual,
    ) -> anyhow::Result<Plan> {
        let suite = self.data.suite(catalogue)?;
        let typed = self.transfer.as_deref().unwrap_or(usual.transfer);
        let transfer = Transfer::parse(&[typed.to_string()])?;
        let transfer = catalogue.resolve(&transfer, &suite)?.transfer();
        let task = catalogue.source(&transfer.source)?.task;
        let config = backbone.config()?;
        let small = config.parameters() < SMALL;
        let recipes = match small {
            true => Defaults::Nano,
            false => backbone.defaults(&config),
        };
        let recipe = |method: &Method| {
            let mut recipe = Recipe::default_for(recipes, *method);
            if let Some(steps) = self.steps.filter(|_| recipe.trains()) {
                recipe.budget = recipe.budget.lasting(steps);
            }
            (*method, recipe)
        };
        Ok(Plan {
            setting: Setting {
                answers: answer_form(None, &config)?,
                mixing: transfer.is_of_mixture().then(Default::default),
                train_rows: self.train_rows,
                validation_rows: Some(self.validation_rows.unwrap_or(Setting::VALIDATION_ROWS)),
                eval_rows: self.eval_rows.or(Some(usual.eval_rows).filter(|_| small)),
                ..Setting::new(
                    &transfer,
                    &backbone.name(),
                    &suite.name(),
                    Limits::default_for(task),
                )
            },
            suite,
            cards: self.data.cards(),
            backbone: backbone.clone(),
            methods: methods.to_vec(),
            seeds: match &self.seeds {
                Some(Seeds(seeds)) => seeds.clone(),
                None => (0..usual.seeds).collect(),
            },
            recipes: (methods.iter().filter(|method| **method != Method::Untuned))
                .map(recipe)
                .collect::<BTreeMap<_, _>>(),
            trials: None,
            elsewhere: Vec::new(),
        })
    }

    /// Runs a study of these parts.
    pub(super) fn run(&self, report: ReportKind, parts: Vec<Part>) -> Result<(), Failure> {
        let request = Request {
            flags: &self.run,
            form: Form::of_terminal(),
            command: command(None),
        };
        request.run(Study { report, parts })
    }
}
