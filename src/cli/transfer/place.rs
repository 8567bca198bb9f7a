//! The folder that a plan's records go to where none is named.

use std::path::{Path, PathBuf};

use crate::plan::Plan;
use promptshift_text::domain::AnswerForm;
use promptshift_text::transfer::Transfer;

/// `runs/squad-to-textbookqa-mini-nano-<hash of the recipes>`.
pub fn default_out(plan: &Plan) -> PathBuf {
    let recipes = serde_json::to_vec(&(
        &plan.recipes,
        plan.limits,
        plan.train_rows,
        plan.validation_rows,
        plan.eval_rows,
    ))
    .expect("recipes are plain data");
    // What has the paper's wording is called what it was called before there was another.
    let worded = match plan.wording.is_default() {
        true => Vec::new(),
        false => serde_json::to_vec(&plan.wording).expect("a wording is plain data"),
    };
    let mixed = match plan.transfer.is_of_mixture() {
        true => plan.mixing.to_string().into_bytes(),
        false => Vec::new(),
    };
    let gone_on = (plan.tune_on.as_ref()).map_or(Vec::new(), |tune_on| {
        serde_json::to_vec(tune_on).expect("plain data")
    });
    let hash = &promptshift_text::hash::sha256(&[recipes, worded, mixed, gone_on].concat())[..8];
    let trials = plan
        .trials
        .map_or(String::new(), |trials| format!("-{trials}-trials"));
    let Transfer { source, targets } = &plan.transfer;
    let targets = match targets.len() {
        1..=3 => targets.join("-"),
        count => format!("{count}-targets"),
    };
    let (suite, model) = (plan.suite.name(), plan.backbone.name());
    // A name of the Hub would be two folders.
    let model = model.replace('/', "--");
    let answers = match plan.answers {
        AnswerForm::Padded => "",
        AnswerForm::Raw => "-raw",
        AnswerForm::Continued => "-continued",
    };
    Path::new("runs").join(format!(
        "{source}-to-{targets}-{suite}{answers}-{model}{trials}-{hash}"
    ))
}
