//! `promptshift ablate objective`, `lm-steps` and `scale`: ablations of the frozen model. The models are folders that
//! `promptshift pretrain` made (see models/ablation), or any other T5.

use std::str::FromStr;

use anyhow::bail;
use clap::Args;

use super::shared::{Shared, Usual};
use crate::cli::{Failure, help};
use crate::study::{Part, ReportKind};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::{Kind, Variant};
use promptshift_report::ablation::{ADAPTED, SENTINEL, SPANS};
use promptshift_report::number::whole;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_text::domain::wording::Opening;

/// The same seeds for each model.
const DEFAULTS: Usual = Usual {
    transfer: "squad->textbookqa,duorc,drop",
    seeds: 3,
    eval_rows: 200,
};

/// Flags of `ablate objective`.
#[derive(Debug, Args)]
pub(super) struct Objectives {
    #[command(flatten)]
    shared: Shared,
    /// A model pre-trained by span corruption alone.
    #[arg(long, value_name = "MODEL", help_heading = help::MODEL)]
    spans: String,
    /// The same model, adapted as a language model.
    #[arg(long, value_name = "MODEL", help_heading = help::MODEL)]
    adapted: String,
}

/// Flags of `ablate lm-steps`.
#[derive(Debug, Args)]
pub(super) struct LmSteps {
    #[command(flatten)]
    shared: Shared,
    /// Models by their number of adaptation steps, ascending: 0=spans,1000=lm-1000.
    #[arg(
        long,
        value_delimiter = ',',
        required = true,
        value_name = "STEPS=MODEL"
    , help_heading = help::MODEL)]
    models: Vec<Adapted>,
}

/// Flags of `ablate scale`.
#[derive(Debug, Args)]
pub(super) struct Scales {
    #[command(flatten)]
    shared: Shared,
    /// Models, from the smallest to the largest: models/ablation/pico,nano.
    #[arg(long, value_delimiter = ',', required = true, value_name = "MODEL", help_heading = help::MODEL)]
    models: Vec<String>,
}

/// A model and its number of adaptation steps.
#[derive(Debug, Clone)]
struct Adapted {
    steps: usize,
    model: String,
}

impl FromStr for Adapted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("wanted STEPS=MODEL, found '{text}'");
        let (steps, model) = text.split_once('=').ok_or_else(wanted)?;
        Ok(Adapted {
            steps: steps.trim().parse().map_err(|_| wanted())?,
            model: model.to_string(),
        })
    }
}

/// Runs `ablate objective`.
pub(super) fn objective(arguments: &Objectives) -> Result<(), Failure> {
    let (spans, adapted) = (&arguments.spans, &arguments.adapted);
    let models = [(SPANS, spans), (SENTINEL, spans), (ADAPTED, adapted)];
    let models = models.map(|(place, model)| (place.to_owned(), model.clone()));
    let (kind, shared) = (Kind::Objective, &arguments.shared);
    let mut settings = parts(kind, shared, &models, &[Method::Prompt]).map_err(Failure::Usage)?;
    for one in &mut settings {
        if one
            .variant
            .as_ref()
            .is_some_and(|variant| variant.place == SENTINEL)
        {
            one.plan.setting.wording.opening = Opening::Sentinel;
        }
    }
    shared.run(ReportKind::Ablation(kind), settings)
}

/// Runs `ablate lm-steps`.
pub(super) fn lm_steps(arguments: &LmSteps) -> Result<(), Failure> {
    let models: Vec<(String, String)> = (arguments.models.iter())
        .map(|adapted| (whole(adapted.steps as f64), adapted.model.clone()))
        .collect();
    run(Kind::LmSteps, &arguments.shared, &models, &[Method::Prompt])
}

/// Runs `ablate scale`.
pub(super) fn scale(arguments: &Scales) -> Result<(), Failure> {
    let mut models = Vec::new();
    for model in &arguments.models {
        let choice = BackboneChoice::parse(model).map_err(Failure::usage)?;
        let config = choice.config().map_err(Failure::usage)?;
        models.push((whole(config.parameters() as f64), model.clone()));
    }
    let methods = [Method::Prompt, Method::Model];
    run(Kind::Scale, &arguments.shared, &models, &methods)
}

/// One setting for each model, including the untuned one.
fn run(
    kind: Kind,
    shared: &Shared,
    models: &[(String, String)],
    methods: &[Method],
) -> Result<(), Failure> {
    let settings = parts(kind, shared, models, methods).map_err(Failure::Usage)?;
    shared.run(ReportKind::Ablation(kind), settings)
}

fn parts(
    kind: Kind,
    shared: &Shared,
    models: &[(String, String)],
    methods: &[Method],
) -> anyhow::Result<Vec<Part>> {
    let catalogue = shared.data.catalogue()?;
    let methods = [&[Method::Untuned], methods].concat();
    let mut parts = Vec::new();
    for (at, (place, model)) in models.iter().enumerate() {
        if models[..at].iter().any(|(other, _)| other == place) {
            bail!("{} {place}: wanted each once", kind.name());
        }
        let choice = BackboneChoice::parse(model)?;
        parts.push(Part {
            variant: Some(Variant {
                folder: format!("{}-{}", kind.name(), place.replace([',', ' '], "")),
                place: place.clone(),
                series: "all".to_owned(),
            }),
            plan: shared.plan(&choice, &methods, &catalogue, &DEFAULTS)?,
        });
    }
    Ok(parts)
}
