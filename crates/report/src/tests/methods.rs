//! Reports on methods that learned nothing, on many methods, on methods initialised from another prompt, and on
//! methods tuned elsewhere.

use super::*;
use crate::sections::differences;
use promptshift_numbers::recipe::{PromptInit, PromptStart};
use promptshift_numbers::record::{Form, Found, Stop, TunedElsewhere};
use promptshift_numbers::stats::estimate::Estimate;

#[test]
fn the_untuned_backbone_alone_is_a_report() {
    let records = records();
    let report = report(&records[..1]);
    assert_eq!(report.comparisons[0].verdict, []);
    assert_eq!(report.figures.len(), 1);
}

#[test]
fn a_method_that_did_not_learn_is_not_compared() {
    let mut fixture = Fixture::one_target();
    fixture.domains[0].1[Method::Prompt as usize] = 0.1;
    let report = report(&fixture.records());
    assert_eq!(says(&report, Method::Prompt), Some(Says::NotLearned));
    let caution = &report.comparisons[0].cautions[0];
    assert_eq!(caution.about, "learning");
    assert!(caution.remedy.contains("--learning-rate"), "{caution:?}");
}

#[test]
fn a_method_is_judged_by_its_own_learning() {
    let mut unlearned = Fixture::one_target();
    unlearned.domains[0].1[Method::Prompt as usize] = 0.1;
    let bitfit = as_method(&unlearned.records(), Method::Bitfit);
    let report = report(&[Fixture::one_target().records(), bitfit].concat());
    assert_eq!(says(&report, Method::Bitfit), Some(Says::NotLearned));
    assert_ne!(says(&report, Method::Prompt), Some(Says::NotLearned));
}

#[test]
fn methods_without_steps_have_no_curves_and_no_symptoms() {
    let mut records = records();
    let told = |report: &Report| {
        let about = cautioned(report);
        let is_cautioned = about.contains(&"undertrained") || about.contains(&"stalled runs");
        let has_curves = report.figures.iter().any(|one| one.name == "curves.svg");
        (is_cautioned, has_curves)
    };
    for training in (records.iter_mut()).filter_map(|one| one.record.training.as_mut()) {
        training.best_step = training.steps;
        training.stop = Stop::Budget;
    }
    assert_eq!(told(&report(&records)), (true, true));
    for training in (records.iter_mut()).filter_map(|one| one.record.training.as_mut()) {
        training.steps = 0;
        training.best_step = 0;
        training.curve.truncate(1);
        training.checkpoints.clear();
    }
    assert_eq!(told(&report(&records)), (false, false));
}

#[test]
fn rankings_are_reported_in_addition_to_labels() {
    let mut records = Fixture::pairs().records();
    assert!(!report(&records).markdown.contains("AUROC"));
    for prediction in (records.iter_mut()).flat_map(|one| one.predictions.iter_mut().flatten()) {
        let (gold, _) = prediction.score.classes().expect("pairs have labels");
        let second = if gold == 1 { 0.3_f64 } else { 0.2 };
        prediction.class_log_probs = Some(vec![(1.0 - second).ln(), second.ln()]);
    }
    let report = report(&records);
    let row = (report.markdown.lines())
        .find(|line| line.starts_with("| prompt tuning, mrpc | 100.0 ± 0.0 |"));
    assert!(row.is_some(), "{}", report.markdown);
    assert_has(&report.markdown, "“synthetic” on mrpc");
}

#[test]
fn a_method_at_the_floor_gets_a_caution() {
    let mut fixture = Fixture::one_target();
    fixture.domains[1].1 = [0.05, 0.1, 0.6];
    let report = report(&fixture.records());
    assert_eq!(says(&report, Method::Prompt), Some(Says::AtFloor));
    assert!(cautioned(&report).contains(&"the floor"));
}

#[test]
fn many_methods_have_a_row_each_and_three_sentences() {
    let mut records = Fixture::one_target().records();
    let few = render(&records, "few").expect("consistent");
    assert!((few.figures.iter()).all(|figure| figure.name != "methods.svg"));
    let others = [
        Method::Lora,
        Method::Bitfit,
        Method::Norms,
        Method::Ia3,
        Method::Prefix,
        Method::Houlsby,
    ];
    for method in others {
        records.extend(as_method(&records, method));
    }
    let many = render(&records, "many").expect("consistent");
    // The verdict on many methods is as short as on two: one more row for each, and three sentences.
    let answers = [&few, &many].map(|report| report.comparisons[0].answer.len());
    assert_eq!(answers, [3, 3]);
    assert_eq!(many.comparisons[0].verdict.len(), 2 + others.len());
    let row = "| **Houlsby adapters**, 3 seeds |";
    assert_has(&many.markdown, row);
    let figure = |name: &str| {
        let found = many.figures.iter().find(|figure| figure.name == name);
        found.expect("drawn").svg.clone()
    };
    assert!(figure("methods.svg").contains("Houlsby adapters"));
    // Only two of the other methods are shown in the figure.
    let scores = figure("scores.svg");
    let shown = (others.iter()).filter(|method| scores.contains(method.title()));
    assert_eq!(shown.count(), 2);
}

#[test]
fn an_initialisation_tuned_on_a_target_is_reported() {
    let started = |tuned_on: Option<&str>| {
        let mut records = Fixture::one_target().records();
        for stored in &mut records {
            let recipe = stored.record.cell.recipe.as_mut();
            if let Some(prompt) = recipe.and_then(|recipe| recipe.prompt.as_mut()) {
                prompt.init = PromptInit::File(PromptStart {
                    path: "prompt.safetensors".to_owned(),
                    sha256: "0".to_owned(),
                    tuned_on: tuned_on.map(|domain| vec!["squad".to_owned(), domain.to_owned()]),
                });
            }
        }
        render(&records, "started").expect("consistent")
    };
    let zero_shot = |report: &Report| !cautioned(report).contains(&"not zero-shot");
    let before = |report: &Report| report.comparisons[0].results.before.clone();
    let on_target = started(Some("textbookqa"));
    assert!(!zero_shot(&on_target));
    assert_eq!(before(&on_target), ["textbookqa"]);
    let elsewhere = started(Some("race"));
    assert!(zero_shot(&elsewhere));
    assert_eq!(before(&elsewhere), ["race"]);
    assert!(elsewhere.markdown.contains("had been tuned on race"));
    assert!(!zero_shot(&started(None)), "it may have seen a target");
}

/// Adds the runs of prompt tuning once more, as a method tuned elsewhere.
fn with_elsewhere(mut records: Vec<StoredRecord>) -> Vec<StoredRecord> {
    let mut theirs = as_method(&records, Method::Elsewhere);
    for (stored, run) in theirs.iter_mut().zip(0..) {
        let cell = &mut stored.record.cell;
        (cell.seed, cell.recipe) = (run, None);
        let mut given = TunedElsewhere::at("mine", &format!("their/{run}"));
        given.found = Some(Found {
            form: Form::Prompt,
            sha256: format!("{run}").repeat(64),
            bytes: 4_321,
            parameters: 1_234,
            total_parameters: 56_789,
        });
        cell.elsewhere = Some(given);
        stored.record.training = None;
        stored.record.validation = None;
        stored.validation.clear();
        stored.folder = Path::new("runs").join(format!("elsewhere-seed{run}"));
    }
    records.extend(theirs);
    records
}

#[test]
fn a_method_tuned_elsewhere_is_reported_and_does_not_change_others() {
    let without = Fixture::one_target().records();
    let before = render(&without, "figures").expect("consistent");
    let after = render(&with_elsewhere(without), "figures").expect("consistent");
    let (one, other) = (&before.comparisons[0], &after.comparisons[0]);
    assert_eq!(other.results.methods[..3], one.results.methods[..]);
    assert_eq!(other.difference, one.difference);
    let result = |method| other.results.method(method).expect("there");
    let (prompt, mine) = (result(Method::Prompt), result(Method::Elsewhere));
    assert_eq!(mine.title, "mine (tuned elsewhere)");
    assert_eq!(mine.source().by_seed, prompt.source().by_seed);
    let gap = mine.mean_gap.expect("a target").interval;
    assert!(gap.low < gap.high);
    let cost = mine.cost.as_ref().expect("it was evaluated");
    assert!(cost.training.is_none() && mine.trainable() == 1_234);
    let tests = |method| differences::of(&other.statistics.against_model, method);
    let against = tests(Method::Elsewhere).expect("model tuning");
    assert!(against.mean.score_p_value.is_some());
    // Runs tuned elsewhere are not paired with runs trained here.
    let paired = tests(Method::Prompt).expect("model tuning");
    let width = |estimate: Estimate| estimate.interval.high - estimate.interval.low;
    let widths = [against, paired].map(|tests| width(tests.mean.difference));
    assert_ne!(widths[0], widths[1]);
    for words in [
        "| **mine (tuned elsewhere)**, 3 runs |",
        "| mine (tuned elsewhere), run 0 |",
        "run 2: a prompt in `their/2`, SHA-256 2222",
        "1,234",
    ] {
        assert_has(&after.markdown, words);
    }
    let svg: String = after.figures.iter().map(|one| one.svg.as_str()).collect();
    assert!(svg.contains("mine (tuned elsewhere)"));
    let json = serde_json::to_string(&after.comparisons).expect("plain data");
    assert!(json.contains("mine (tuned elsewhere)"));
}

#[test]
fn runs_with_two_names_are_not_one_method() {
    let mut records = with_elsewhere(Fixture::one_target().records());
    let last = records.last_mut().expect("some");
    let given = last.record.cell.elsewhere.as_mut().expect("a run of mine");
    given.name = "theirs".to_owned();
    match render(&records, "figures") {
        Err(ReportError::Mixed { field, .. }) => assert_eq!(field, "elsewhere.name"),
        other => panic!("wanted a refusal, found {other:?}"),
    }
}
