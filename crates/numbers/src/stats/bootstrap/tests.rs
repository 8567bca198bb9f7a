use std::time::{Duration, Instant};

use super::*;
use crate::stats::draw::Normal;
use crate::stats::panel::Sample;

const FAST: Bootstrap = Bootstrap {
    resamples: 2_000,
    seed: 7,
};

fn sample(seed: u64, cluster: usize, numerator: f64) -> Sample {
    Sample {
        seed,
        cluster: format!("{cluster:04}"),
        numerator,
        denominator: 1.0,
    }
}

/// A mean of 0.5 with a deviation between seeds and one between passages.
fn runs(
    normal: &mut Normal,
    seeds: u64,
    clusters: usize,
    between: f64,
    within: f64,
) -> Vec<Sample> {
    let passages: Vec<f64> = (0..clusters).map(|_| within * normal.next()).collect();
    (0..seeds)
        .flat_map(|seed| {
            let shift = 0.5 + between * normal.next();
            passages
                .iter()
                .enumerate()
                .map(|(cluster, passage)| sample(seed, cluster, shift + passage))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn one(samples: Vec<Sample>, bootstrap: Bootstrap) -> Draws {
    let mut scores = bootstrap.scores(&[Panel::new(&[samples])]);
    scores.remove(0).remove(0).expect("there are samples")
}

fn near(found: f64, wanted: f64, share: f64) {
    assert!(
        (found / wanted - 1.0).abs() < share,
        "{found} is not {wanted}"
    );
}

#[test]
fn two_passages_by_hand() {
    // One seed, passages worth 0 and 1: a resample is 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    let draws = one(vec![sample(0, 0, 0.0), sample(0, 1, 1.0)], FAST);
    let share = |value: f64| {
        draws
            .resampled
            .iter()
            .filter(|drawn| **drawn == value)
            .count() as f64
            / 2_000.0
    };
    assert!((share(0.0) - 0.25).abs() < 0.03);
    assert!((share(0.5) - 0.5).abs() < 0.03);
    assert!((share(1.0) - 0.25).abs() < 0.03);
    // Percentiles 0 and 1, times sqrt(2) for two passages and 12.706/1.960 for one degree of freedom.
    let estimate = draws.estimate();
    let half = 0.5 * 2.0_f64.sqrt() * 12.706_205 / 1.959_964;
    near(estimate.interval.high - 0.5, half, 1e-6);
    near(0.5 - estimate.interval.low, half, 1e-6);
}

#[test]
fn passages_give_the_analytic_standard_error() {
    let mut normal = Normal::new(1);
    let samples = runs(&mut normal, 1, 200, 0.0, 0.3);
    let values: Vec<f64> = samples.iter().map(|sample| sample.numerator).collect();
    let deviation = standard_deviation(&values).expect("200 values");
    let draws = one(samples, FAST);
    near(
        draws.variance().standard_error(),
        deviation / 200.0_f64.sqrt(),
        0.06,
    );
    assert_eq!(draws.variance().seeds, 0.0);
}

#[test]
fn questions_of_one_passage_count_as_one() {
    // 50 passages with 10 equal questions each: the error is that of 50 values, not of 500.
    let mut normal = Normal::new(2);
    let values: Vec<f64> = (0..50).map(|_| normal.next()).collect();
    let samples = (0..500)
        .map(|i| sample(0, i / 10, values[i / 10]))
        .collect();
    let deviation = standard_deviation(&values).expect("50 values");
    let found = one(samples, FAST).variance().standard_error();
    near(found, deviation / 50.0_f64.sqrt(), 0.06);
}

/// Three seeds that score 0.2, 0.5, 0.6 on every passage.
fn three_seeds() -> Vec<Sample> {
    [0.2, 0.5, 0.6]
        .into_iter()
        .enumerate()
        .flat_map(|(seed, score)| (0..20).map(move |cluster| sample(seed as u64, cluster, score)))
        .collect()
}

#[test]
fn seeds_give_student_s_interval() {
    let draws = one(three_seeds(), FAST);
    let deviation = standard_deviation(&[0.2, 0.5, 0.6]).expect("three values");
    near(draws.variance().seeds, deviation * deviation / 3.0, 1e-9);
    assert!(draws.variance().passages < 1e-20);
    // 4.303 standard errors, as the t interval of three values has it, up to the drawn percentile.
    let interval = draws.estimate().interval;
    let half = 4.302_653 * deviation / 3.0_f64.sqrt();
    near(interval.high - draws.value, half, 0.08);
    near(draws.value - interval.low, half, 0.08);
    // Of these runs alone nothing varies.
    let these = draws.estimate_of_these_runs().interval;
    assert!(these.high - these.low < 1e-9);
}

#[test]
fn what_runs_do_differently_on_passages_counts_once() {
    // No passage is easier for all seeds, no seed better than another by itself: each run scores
    // noise of its own. Passages show all of the variance of the mean, and seeds add little.
    let mut normal = Normal::new(11);
    let samples: Vec<Sample> = (0..40)
        .flat_map(|seed| (0..100).map(move |cluster| (seed, cluster)))
        .map(|(seed, cluster)| sample(seed, cluster, normal.next()))
        .collect();
    let variance = one(samples, FAST).variance();
    let wanted = 1.0 / (40.0 * 100.0);
    near(variance.passages, wanted, 0.4);
    assert!(variance.seeds < 0.5 * wanted, "{variance:?}");
}

#[test]
fn differences_are_paired() {
    // The second method is 0.1 better on every example, whatever is drawn.
    let mut normal = Normal::new(3);
    let first = runs(&mut normal, 3, 40, 0.1, 0.3);
    let second = first
        .iter()
        .map(|sample| Sample {
            numerator: sample.numerator + 0.1,
            ..sample.clone()
        })
        .collect();
    let scores = FAST.scores(&[Panel::new(&[first, second])]);
    let [Some(first), Some(second)] = scores[0].as_slice() else {
        panic!("two methods")
    };
    let difference = second.minus(first);
    let interval = difference.estimate().interval;
    assert!((interval.low - 0.1).abs() < 1e-9);
    assert!((interval.high - 0.1).abs() < 1e-9);
}

#[test]
fn other_seeds_are_independent() {
    let scores = |seeds: [u64; 2]| {
        let method = |first: u64| {
            let values = [0.2, 0.6].into_iter().enumerate();
            values
                .flat_map(|(seed, score)| {
                    (0..9).map(move |c| sample(first + seed as u64, c, score))
                })
                .collect::<Vec<_>>()
        };
        FAST.scores(&[Panel::new(&seeds.map(method))])
    };
    let seeds = |scores: &[Option<Draws>]| {
        let [Some(first), Some(second)] = scores else {
            panic!("two methods")
        };
        first.minus(second).variance().seeds
    };
    // S² = 0.08, over two seeds 0.04, and twice that for two methods that share no seed.
    assert!(seeds(&scores([0, 0])[0]) < 1e-12);
    near(seeds(&scores([0, 5])[0]), 0.08, 1e-9);
}

#[test]
fn source_and_target_share_the_seed() {
    // Source and target differ by 0.2 in every run, so the gap does not vary with the seed.
    let domain = |shift: f64| {
        let samples = [0.3, 0.5, 0.9]
            .iter()
            .enumerate()
            .flat_map(|(seed, score)| (0..9).map(move |c| sample(seed as u64, c, score - shift)))
            .collect();
        Panel::new(&[samples])
    };
    let scores = FAST.scores(&[domain(0.0), domain(0.2)]);
    let draws = |panel: usize| scores[panel][0].as_ref().expect("one method");
    let gap = draws(0).minus(draws(1)).estimate();
    assert!((gap.value - 0.2).abs() < 1e-12);
    assert!((gap.interval.high - gap.interval.low).abs() < 1e-9);
    let mean = Draws::mean(&[draws(0), draws(1)]).expect("two").estimate();
    assert!((mean.value - (1.7 / 3.0 - 0.1)).abs() < 1e-12);
}

#[test]
fn a_ratio_is_drawn_as_a_ratio() {
    // Every run keeps four fifths of its source score, whatever is drawn.
    let mut normal = Normal::new(12);
    let source = runs(&mut normal, 3, 40, 0.05, 0.1);
    let target = source
        .iter()
        .map(|sample| Sample {
            numerator: 0.8 * sample.numerator,
            ..sample.clone()
        })
        .collect();
    let scores = FAST.scores(&[Panel::new(&[source, target])]);
    let [Some(source), Some(target)] = scores[0].as_slice() else {
        panic!("two methods")
    };
    let kept = target
        .over(source)
        .expect("the source score is not 0")
        .estimate();
    assert!((kept.value - 0.8).abs() < 1e-12);
    assert!((kept.interval.high - kept.interval.low).abs() < 1e-9);
    let nothing = source.minus(source);
    assert_eq!(source.over(&nothing), None);
}

#[test]
fn p_values_and_intervals_say_the_same() {
    for study in 0..60 {
        let mut normal = Normal::new(100 + study);
        let mut samples = runs(&mut normal, 3, 40, 0.02, 0.3);
        for sample in &mut samples {
            sample.numerator -= 0.4;
        }
        let draws = one(samples, FAST);
        let p = draws.p_value().expect("something varies");
        let excluded = draws.estimate().interval.excludes(0.0);
        assert_eq!(p < 0.05, excluded, "p {p}, {:?}", draws.estimate());
    }
    assert_eq!(
        one(vec![sample(0, 0, 1.0), sample(0, 1, 1.0)], FAST).p_value(),
        None
    );
}

#[test]
fn the_detectable_difference_is_found_in_four_of_five_studies() {
    // Passages alone: 2.8 standard errors.
    let mut normal = Normal::new(13);
    let draws = one(runs(&mut normal, 1, 400, 0.0, 0.3), FAST);
    near(
        draws.detectable(),
        2.806 * draws.variance().standard_error(),
        0.01,
    );
}

#[test]
fn one_seed_gives_one_answer() {
    let mut normal = Normal::new(4);
    let panels = [Panel::new(&[
        runs(&mut normal, 3, 30, 0.1, 0.2),
        Vec::new(),
    ])];
    assert_eq!(FAST.scores(&panels), FAST.scores(&panels));
    assert_eq!(FAST.scores(&panels)[0][1], None);
    assert_ne!(
        FAST.scores(&panels),
        Bootstrap { seed: 8, ..FAST }.scores(&panels)
    );
}

#[test]
fn a_large_study_takes_moments() {
    let mut normal = Normal::new(9);
    let panels: Vec<Panel> = (0..9)
        .map(|_| {
            let mut method = || runs(&mut normal, 5, 300, 0.05, 0.3);
            Panel::new(&[method(), method()])
        })
        .collect();
    let start = Instant::now();
    Bootstrap::default().scores(&panels);
    let took = start.elapsed();
    println!("9 domains, 2 methods, 5 seeds, 300 passages: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn logits_and_differences_from_constants_have_the_variance_of_their_tangent() {
    let mut normal = Normal::new(5);
    let draws = one(runs(&mut normal, 4, 200, 0.02, 0.1), FAST);
    let logit = draws.logit().expect("inside (0, 1)");
    let slope = 1.0 / (draws.value() * (1.0 - draws.value()));
    let error = |draws: &Draws| draws.variance().standard_error();
    near(error(&logit), slope * error(&draws), 0.02);
    assert_eq!(logit.value(), (draws.value() / (1.0 - draws.value())).ln());
    let above = draws.above(0.25);
    assert_eq!(error(&above), error(&draws));
    assert_eq!(above.value(), draws.value() - 0.25);
    assert_eq!(draws.above(0.5).minus(&draws).logit(), None);
}
