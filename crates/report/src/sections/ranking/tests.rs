use super::*;
use crate::fixture::{Fixture, assert_has, compared, rescore};

/// The sentence on prompt tuning if this many of ten target rows belong to the class, and the rows of both
/// classes have these probabilities of the class on the target, alternating.
fn said(of_class: usize, class: [f64; 2], other: [f64; 2]) -> Option<String> {
    let mut records = Fixture::pairs().records();
    for stored in &mut records {
        for domain in 0..2 {
            for (row, prediction) in stored.predictions[domain].iter_mut().enumerate() {
                let of_ten = if domain == 0 { 5 } else { of_class };
                let is = row % 10 < of_ten;
                let second = match (domain, is) {
                    (0, true) => 0.8,
                    (0, false) => 0.2,
                    (_, true) => class[row / 10 % 2],
                    (_, false) => other[row / 10 % 2],
                };
                let gold = usize::from(is);
                let predicted = Some(usize::from(second > 0.5));
                prediction.score = Score::Label { gold, predicted };
                let logs = [1.0_f64 - second, second].map(f64::ln);
                prediction.class_log_probs = Some(logs.to_vec());
            }
        }
        rescore(stored);
    }
    let comparison = compared(&records);
    in_short(
        &comparison.results,
        &comparison.statistics.ranking,
        Method::Prompt,
    )
}

#[test]
fn the_threshold_is_reported_only_under_a_shift_of_labels() {
    let whole = said(9, [0.4, 0.7], [0.1, 0.1]).expect("a shift");
    assert_has(
        &whole,
        "with 90.0 % “synthetic” compared with 50.0 % on qqp, its AUROC is 100.0 compared with 100.0",
    );
    assert_has(&whole, "(100 %)");
    assert_has(&whole, "the threshold explains 45.0");
    // No threshold separates the classes.
    let none = said(9, [0.4, 0.7], [0.4, 0.7]).expect("a shift");
    assert_has(&none, "its AUROC is 50.0 compared with 100.0");
    // Equal shares of the classes, and the same threshold: nothing to report.
    assert_eq!(said(5, [0.4, 0.7], [0.1, 0.1]), None);
    // A shift of labels without a loss.
    let kept = said(9, [0.8, 0.8], [0.1, 0.1]).expect("a shift");
    assert_has(&kept, "no loss of accuracy is shown");
}

#[test]
fn the_explanation_depends_on_the_interval() {
    let gap = Estimate::new(0.2, 0.1, 0.3);
    let words = |gap, low, value, high| {
        super::explained(&Threshold {
            shift: gap,
            gap,
            explained: Estimate::new(value, low, high),
        })
    };
    assert_eq!(
        words(gap, 0.001, 0.1, 0.2),
        "the threshold explains 10.0 [0.1, 20.0] of the 20.0 points lost (50 %)"
    );
    assert_eq!(
        words(gap, 0.0, 0.1, 0.2),
        "the threshold is not shown to explain any of the 20.0 points lost (10.0 [0.0, 20.0])"
    );
    assert!(words(gap, -0.2, -0.1, -0.01).contains("larger loss"));
    assert_eq!(
        words(Estimate::new(0.1, 0.0, 0.2), 0.05, 0.1, 0.15),
        "no loss of accuracy is shown"
    );
}

/// Sets an answer by the probability of its class, which lies around `centre`.
fn rank(prediction: &mut Prediction, row: usize, run: usize, [strength, centre]: [f64; 2]) {
    let is = row % 2 == 1;
    // Multiples of an irrational number are spread evenly.
    let noise = (row as f64 * 0.618_034 + run as f64 * 0.414_214).fract() - 0.5;
    let sign = if is { 0.5 } else { -0.5 };
    let second = centre + 0.2 * (strength * sign + noise);
    prediction.score = Score::Label {
        gold: usize::from(is),
        predicted: Some(usize::from(second > 0.5)),
    };
    prediction.class_log_probs = Some([1.0 - second, second].map(f64::ln).to_vec());
}

/// The rankings if prompt tuning and model tuning separate the classes of source and target this well; on the target
/// probabilities are too low for a threshold of one half.
fn ranked_by(prompt: [f64; 2], model: [f64; 2]) -> (Vec<MethodRanking>, Vec<String>) {
    const CENTRES: [f64; 2] = [0.5, 0.3];
    let mut records = Fixture::pairs().records();
    for (run, stored) in records.iter_mut().enumerate() {
        let strengths = match stored.record.cell.method {
            Method::Prompt => prompt,
            Method::Model => model,
            _ => [0.0, 0.0],
        };
        for (domain, (strength, centre)) in strengths.into_iter().zip(CENTRES).enumerate() {
            for (row, prediction) in stored.predictions[domain].iter_mut().enumerate() {
                rank(prediction, row, run, [strength, centre]);
            }
        }
        rescore(stored);
        for (row, prediction) in stored.validation.iter_mut().enumerate() {
            rank(prediction, row, run, [strengths[0], CENTRES[0]]);
        }
    }
    let comparison = compared(&records);
    let all = comparison.statistics.ranking;
    let said = area_in_short(&comparison.results, &all, Method::Prompt);
    let blocks = area::blocks(&comparison.results, &all);
    let said = [format!("{said:?}"), format!("{blocks:?}")];
    (all, said.to_vec())
}

#[test]
fn losses_of_auroc_are_compared_whatever_the_threshold() {
    let (all, said) = ranked_by([0.8, 0.2], [0.8, 0.7]);
    let of = |method: Method| {
        let found = all.iter().find(|one| one.method == method);
        let area = found.and_then(|one| one.area.as_ref());
        (found.expect("it ranks"), area.expect("enough examples"))
    };
    // Uniform noise of width 1 and a distance of d: the area is 1 - (1 - d)² / 2.
    let area = |strength: f64| 1.0 - (1.0 - strength).powi(2) / 2.0;
    for (method, target) in [(Method::Prompt, 0.2), (Method::Model, 0.7)] {
        let (ranking, lost) = of(method);
        for (found, wanted) in lost.domains.iter().zip([0.8, target]) {
            assert!((found.value - area(wanted)).abs() < 0.02, "{lost:?}");
        }
        let apart = lost.gap.value - (lost.domains[0].value - lost.mean_target.value);
        assert!(apart.abs() < 1e-12);
        // Hardly any probability of the target reaches the threshold that is right for (1 + d) / 2 of the source.
        assert!(ranking.domains[1].said < 0.01);
        let at = ranking.domains[0].at_source_threshold.expect("validation");
        assert!((at.value - 0.9).abs() < 0.03, "{at:?}");
    }
    let apart = of(Method::Prompt).1.against_model.expect("it has records");
    let wanted = area(0.7) - area(0.2);
    assert!((apart.gap.value - wanted).abs() < 0.02, "{apart:?}");
    assert!(apart.source.value.abs() < 0.02, "{apart:?}");
    assert!(of(Method::Model).1.against_model.is_none());
    assert_has(&said[0], "loses more.");

    // Equal gaps from unequal scores are never equivalent.
    let (_, said) = ranked_by([0.6, 0.5], [0.95, 0.7]);
    assert!(!said[0].contains("equivalent"), "{}", said[0]);
}

#[test]
fn a_ranking_by_chance_has_nothing_to_lose() {
    for (prompt, wanted) in [
        ([0.8, 0.0], "not shown to rank better than chance on mrpc"),
        ([0.0, 0.0], "not shown to have learned"),
    ] {
        let (_, said) = ranked_by(prompt, [0.8, 0.7]);
        assert_eq!(said[0], "None");
        assert_has(&said[1], wanted);
    }
}

#[test]
fn classes_are_matched_by_name() {
    let mut records = Fixture::pairs().records();
    let stored = &mut records[1];
    for predictions in &mut stored.predictions {
        for (row, prediction) in predictions.iter_mut().enumerate() {
            rank(prediction, row, 0, [0.8, 0.4]);
        }
    }
    let names = ["not_equivalent", "equivalent"];
    let name = |predictions: &mut [Prediction], names: [&str; 2]| {
        for prediction in predictions {
            let (gold, _) = prediction.score.classes().expect("set above");
            prediction.answers = vec![names[gold].to_owned()];
        }
    };
    let probabilities =
        |stored: &StoredRecord| -> Vec<(f64, bool)> { examples(&rows(stored, 1).expect("ranked")) };
    (stored.predictions.iter_mut()).for_each(|predictions| name(predictions, names));
    let same = probabilities(stored);
    name(&mut stored.predictions[1], [names[1], names[0]]);
    let swapped = probabilities(stored);
    for (one, other) in same.iter().zip(&swapped) {
        assert!((one.0 - (1.0 - other.0)).abs() < 1e-12 && one.1 != other.1);
    }
}
