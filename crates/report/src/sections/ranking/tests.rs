use super::*;
use crate::comparison::compare;
use crate::fixture::Fixture;
use crate::study::studies;
use promptshift_numbers::score::metrics;
use promptshift_text::domain::Task;

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
            let scores: Vec<Score> = (stored.predictions[domain].iter())
                .map(|prediction| prediction.score)
                .collect();
            stored.record.evaluations[domain].metrics = metrics(Task::Paraphrase, &scores);
        }
    }
    let studies = studies(&records, &[]).expect("they belong together");
    let comparison = compare(&studies[0]).expect("consistent");
    let all = &comparison.statistics.ranking;
    in_short(&comparison.results, all, Method::Prompt)
}

#[test]
fn the_threshold_is_reported_only_under_a_shift_of_labels() {
    let whole = said(9, [0.4, 0.7], [0.1, 0.1]).expect("a shift");
    assert!(
        whole.contains(
            "with 90.0 % “synthetic” compared with 50.0 % on qqp, its AUROC is 100.0 compared with 100.0"
        ),
        "{whole}"
    );
    assert!(
        whole.contains("(100 %)") && whole.contains("the threshold explains 45.0"),
        "{whole}"
    );
    // No threshold separates the classes.
    let none = said(9, [0.4, 0.7], [0.4, 0.7]).expect("a shift");
    assert!(
        none.contains("its AUROC is 50.0 compared with 100.0"),
        "{none}"
    );
    // Equal shares of the classes, and the same threshold: nothing to report.
    assert_eq!(said(5, [0.4, 0.7], [0.1, 0.1]), None);
    // A shift of labels without a loss.
    let kept = said(9, [0.8, 0.8], [0.1, 0.1]).expect("a shift");
    assert!(kept.contains("no loss of accuracy is shown"), "{kept}");
}

#[test]
fn the_explanation_depends_on_the_interval() {
    let estimate = |low, value, high| Estimate {
        value,
        interval: promptshift_numbers::stats::estimate::Interval { low, high },
    };
    let gap = estimate(0.1, 0.2, 0.3);
    let words = |gap, low, value, high| {
        let threshold = Threshold {
            shift: gap,
            gap,
            explained: estimate(low, value, high),
        };
        super::explained(&threshold)
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
        words(estimate(0.0, 0.1, 0.2), 0.05, 0.1, 0.15),
        "no loss of accuracy is shown"
    );
}

/// Sets an answer by the probability of its class, which is centred on 0.3: too low for a threshold of one half.
fn rank(prediction: &mut Prediction, row: usize, run: usize, strength: f64) {
    let is = row % 2 == 1;
    // Multiples of an irrational number are spread evenly.
    let noise = (row as f64 * 0.618_034 + run as f64 * 0.414_214).fract() - 0.5;
    let sign = if is { 0.5 } else { -0.5 };
    let second = 0.3 + 0.2 * (strength * sign + noise);
    prediction.score = Score::Label {
        gold: usize::from(is),
        predicted: Some(usize::from(second > 0.5)),
    };
    prediction.class_log_probs = Some([1.0 - second, second].map(f64::ln).to_vec());
}

/// The rankings if prompt tuning and model tuning separate the classes of source and target this well.
fn ranked_by(prompt: [f64; 2], model: [f64; 2]) -> (Vec<MethodRanking>, Option<String>) {
    let mut records = Fixture::pairs().records();
    for (run, stored) in records.iter_mut().enumerate() {
        let strengths = match stored.record.cell.method {
            Method::Prompt => prompt,
            Method::Model => model,
            _ => [0.0, 0.0],
        };
        for (domain, strength) in strengths.into_iter().enumerate() {
            for (row, prediction) in stored.predictions[domain].iter_mut().enumerate() {
                rank(prediction, row, run, strength);
            }
            let scores: Vec<Score> = (stored.predictions[domain].iter())
                .map(|prediction| prediction.score)
                .collect();
            stored.record.evaluations[domain].metrics = metrics(Task::Paraphrase, &scores);
        }
        for (row, prediction) in stored.validation.iter_mut().enumerate() {
            rank(prediction, row, run, strengths[0]);
        }
    }
    let studies = studies(&records, &[]).expect("they belong together");
    let comparison = compare(&studies[0]).expect("consistent");
    let said = area_in_short(
        &comparison.results,
        &comparison.statistics.ranking,
        Method::Prompt,
    );
    (comparison.statistics.ranking, said)
}

#[test]
fn losses_of_auroc_are_compared_whatever_the_threshold() {
    let (all, said) = ranked_by([0.8, 0.2], [0.8, 0.7]);
    let of = |method: Method| {
        let found = all.iter().find(|one| one.method == method);
        found.expect("it ranks two classes")
    };
    let (prompt, model) = (of(Method::Prompt), of(Method::Model));
    // Uniform noise of width 1 and a distance of d: the area is 1 - (1 - d)² / 2.
    let area = |strength: f64| 1.0 - (1.0 - strength).powi(2) / 2.0;
    for (ranking, [source, target]) in [(prompt, [0.8, 0.2]), (model, [0.8, 0.7])] {
        let lost = ranking.area;
        assert!((lost.source.value - area(source)).abs() < 0.02, "{lost:?}");
        assert!((lost.mean_target.value - area(target)).abs() < 0.02);
        let apart = lost.gap.value - (lost.source.value - lost.mean_target.value);
        assert!(apart.abs() < 1e-12);
        // Hardly any probability reaches one half; a threshold near 0.3 is right for (1 + d) / 2 of the rows.
        assert!(ranking.domains[0].said < 0.01);
        let at = ranking.domains[0].at_source_threshold.expect("validation");
        assert!((at.value - 0.9).abs() < 0.03, "{at:?}");
    }
    let apart = prompt.area.difference.expect("model tuning has records");
    assert!(
        (apart.value - (area(0.7) - area(0.2))).abs() < 0.02,
        "{apart:?}"
    );
    assert!(model.area.difference.is_none());
    let said = said.expect("both rank two classes");
    assert!(said.contains("loses more"), "{said}");

    // Without a ranking on the target nothing is compared.
    let (_, said) = ranked_by([0.8, 0.0], [0.8, 0.7]);
    assert!(said.expect("words").contains("not comparable"));
}
