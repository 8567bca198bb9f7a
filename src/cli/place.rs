//! The default folder for a study's records and report.

use std::path::{Path, PathBuf};

use crate::plan::Plan;
use crate::study::{ReportKind, Study};
use promptshift_numbers::record::Setting;
use promptshift_text::domain::AnswerForm;
use promptshift_text::transfer::Transfer;

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
    // The default wording is left out, so that folder names from before it could be chosen stay the same.
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
    // The slash of a Hub name would make two folders.
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
