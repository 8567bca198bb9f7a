use super::*;
use crate::fixture::{Fixture, compared};

#[test]
fn the_published_table_is_whole() {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    let widths: Vec<usize> = rows.map(|line| line.split(',').count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?}");
    let on_amazon = scores(SOURCE, "squadshifts_amazon");
    let adapters = on_amazon.iter().filter(|row| row.tuning == Tuning::Adapter);
    assert_eq!((on_amazon.len(), adapters.count()), (53, 7));
    // BERT-base, tuned and with Houlsby's adapters.
    let has = |tuning: Tuning, source: f64, target: f64| {
        let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        let is = |row: &Row| {
            row.tuning == tuning && near(row.source, source) && near(row.target, target)
        };
        on_amazon.iter().any(is)
    };
    assert!(has(Tuning::Full, 0.882, 0.751) && has(Tuning::Adapter, 0.876, 0.748));
    assert!(scores(SOURCE, "duorc").is_empty());
    assert!(scores("race", "unknown").is_empty());
}

#[test]
fn published_models_lie_on_a_line() {
    let models = scores(SOURCE, "squadshifts_amazon").into_iter().enumerate();
    let points: Vec<Point> = models
        .filter(|(_, row)| row.tuning == Tuning::Full)
        .map(|(run, row)| Point::new(row.source, row.target, run))
        .collect();
    let line = fit(&points).expect("many models");
    assert!(line.r_squared > 0.95 && line.slope > 0.5, "{line:?}");
    // By hand: 0.83 · logit 0.882 − 0.43, back on the scale of scores.
    let at = line.expected(0.882).expect("inside").value;
    assert!((at - 0.78).abs() < 0.02, "{at}");
    let usual = line.usual(0.882).expect("inside");
    assert!(usual.low < 0.751 && 0.751 < usual.high, "{usual:?}");
    assert!(line.usual(0.01).is_err());
}

#[test]
fn only_studies_of_real_questions_stand_beside_published_models() {
    let published = |suite: &str| {
        let mut records = Fixture::six_targets().records();
        for stored in &mut records {
            stored.record.cell.setting.suite = suite.to_owned();
        }
        compared(&records).statistics.published
    };
    assert_eq!(published("mini"), []);
    let lines = published("data");
    let targets: Vec<&str> = lines.iter().map(|line| line.target.as_str()).collect();
    // DuoRC is not among the published targets.
    assert_eq!(
        targets.join(" "),
        "textbookqa bioasq race relation_extraction drop"
    );
    let of = |method: Method| {
        let mut methods = lines[1].methods.iter();
        methods
            .find(|one| one.method == method)
            .expect("it has records")
    };
    // On BioASQ both methods score the same, with a lower score on SQuAD for prompt tuning.
    let [prompt, model] = [Method::Prompt, Method::Model].map(|method| of(method).above);
    let [prompt, model] = [prompt, model].map(|above| above.expect("inside the range").value);
    assert!(prompt > model + 0.05, "{prompt} {model}");
    // No published model scores as low as the untuned one.
    let untuned = of(Method::Untuned);
    assert_eq!((untuned.expected, untuned.place()), (None, Place::Outside));
}

#[test]
fn a_method_is_placed_by_its_whole_interval() {
    let estimate = |low: f64, high: f64| Estimate::new(0.5 * (low + high), low, high);
    let place = |low, high| {
        let beside = BesideLine {
            method: Method::Lora,
            source: estimate(0.5, 0.6),
            score: estimate(0.4, 0.5),
            expected: Some(0.45),
            above: Some(estimate(low, high)),
            usual: Some(estimate(-0.04, 0.05).interval),
        };
        beside.place()
    };
    assert_eq!(place(0.06, 0.1), Place::Above);
    assert_eq!(place(-0.1, -0.05), Place::Below);
    assert_eq!(place(-0.03, 0.04), Place::Among);
    assert_eq!(place(-0.03, 0.06), Place::Open);
}
